//! A runtime's tokio runtime, which may end on any thread, and before the last handle is dropped.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime, RuntimeFlavor};

use crate::sync::{Arc, Mutex, OnceLock, PoisonError, thread};
use crate::topology::os;

use crate::core::context::{self, MayBlock};

/// How long the end of a runtime waits for blocking functions that have started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ShutdownWait {
    None,
    AtMost(Duration),
    Forever,
}

impl ShutdownWait {
    /// The time that is left until `deadline`.
    pub(crate) fn until(deadline: Instant) -> Self {
        Self::AtMost(deadline.saturating_duration_since(Instant::now()))
    }
}

pub(crate) struct TokioSide {
    handle: Handle,
    is_current_thread: bool,
    /// Taken when the tokio runtime ends. `None` beside a given tokio runtime.
    own: Mutex<Option<Arc<Runtime>>>,
    /// Lent as a reference, so it has to live as long as this struct.
    lent: OnceLock<Arc<Runtime>>,
    /// The time until which a drop waits for blocking functions; if unset, until they end.
    deadline: OnceLock<Instant>,
    /// If set, this ends the tokio runtime, and the calling thread does not wait.
    ender: Option<Ender>,
}

/// Ends a tokio runtime.
pub(crate) type Ender = Box<dyn Fn(Runtime) + Send + Sync>;

impl TokioSide {
    pub(crate) fn of(runtime: Runtime) -> Self {
        let handle = runtime.handle().clone();
        Self::new(handle, Some(Arc::new(runtime)))
    }

    /// A tokio runtime that `ender` ends.
    #[cfg(feature = "plugin")]
    pub(crate) fn ended_by(runtime: Runtime, ender: Ender) -> Self {
        let mut side = Self::of(runtime);
        side.ender = Some(ender);
        side
    }

    /// A tokio runtime that the program owns.
    pub(crate) fn beside(handle: Handle) -> Self {
        Self::new(handle, None)
    }

    fn new(handle: Handle, own: Option<Arc<Runtime>>) -> Self {
        Self {
            is_current_thread: handle.runtime_flavor() == RuntimeFlavor::CurrentThread,
            handle,
            own: Mutex::new(own),
            lent: OnceLock::new(),
            deadline: OnceLock::new(),
            ender: None,
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The tokio runtime, unless the program owns it or it has ended. From now on it does not end
    /// before the last handle is dropped.
    pub(crate) fn lend(&self) -> Option<&Runtime> {
        if self.lent.get().is_none() {
            let runtime = self.runtime()?;
            self.lent.get_or_init(|| runtime);
        }
        self.lent.get().map(|runtime| &**runtime)
    }

    fn runtime(&self) -> Option<Arc<Runtime>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Drives `future` on the calling thread, and on a current-thread runtime the tasks, too.
    #[track_caller]
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        // A multi-thread runtime needs no thread to drive it, so it may end meanwhile.
        let driven = Driven(self.is_current_thread.then(|| self.runtime()).flatten());
        match &driven.0 {
            Some(runtime) => runtime.block_on(future),
            None => self.handle.block_on(future),
        }
    }

    /// Bounds how long a drop waits for blocking functions; only the first call has an effect.
    pub(crate) fn wait_until(&self, deadline: Instant) {
        self.deadline.get_or_init(|| deadline);
    }

    /// Ends a tokio runtime that Loom started, if it has not ended. Tasks are dropped at their next
    /// await.
    pub(crate) fn end(&self, patience: ShutdownWait) {
        let runtime = self.own.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            self.end_one(runtime, patience);
        }
    }

    fn end_one(&self, runtime: Arc<Runtime>, patience: ShutdownWait) {
        let Some(ender) = &self.ender else { return end(runtime, patience) };
        // While it is lent, the drop of this struct ends it.
        if let Some(runtime) = Arc::into_inner(runtime) {
            ender(runtime);
        }
    }

    /// Leaks the tokio runtime: a forked child has none of its threads.
    pub(crate) fn forget(&self) {
        // A lock that is held stays held: the thread that holds it is not in this process.
        if let Ok(mut own) = self.own.try_lock() {
            std::mem::forget(own.take());
        }
        std::mem::forget(self.lent.get().cloned());
    }
}

/// A tokio runtime while a thread drives it; that thread may hold its last count.
struct Driven(Option<Arc<Runtime>>);

impl Drop for Driven {
    fn drop(&mut self) {
        // If the runtime was ended meanwhile, this thread does not wait for blocking functions.
        if let Some(runtime) = self.0.take() {
            end(runtime, ShutdownWait::None);
        }
    }
}

fn end(runtime: Arc<Runtime>, patience: ShutdownWait) {
    // While it is lent, or another thread drives it, the last holder ends it.
    let Some(runtime) = Arc::into_inner(runtime) else { return };
    // Tokio panics when a thread that drives async code waits here, and a compute thread must not
    // wait, since other threads wait for it.
    match (context::may_block(), patience) {
        (MayBlock::No, _) | (_, ShutdownWait::None) => runtime.shutdown_background(),
        (MayBlock::Yes, patience) => wait(runtime, patience),
        (MayBlock::Unknown, patience) => {
            // Within a guard, tokio has no query for whether it would panic. So another thread
            // waits for tokio, and this thread waits for that one.
            let kept = Arc::new(Mutex::new(Some(runtime)));
            let taken = Arc::clone(&kept);
            let body = move || take(&taken).map(|runtime| wait(runtime, patience));
            match thread::Builder::new().name("loom-end".to_owned()).spawn(body) {
                // The thread does nothing that panics.
                Ok(waiting) => drop(waiting.join()),
                Err(_no_thread) => drop(take(&kept).map(Runtime::shutdown_background)),
            }
        }
    }
}

fn take(runtime: &Mutex<Option<Runtime>>) -> Option<Runtime> {
    runtime.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn wait(runtime: Runtime, patience: ShutdownWait) {
    match patience {
        ShutdownWait::None => runtime.shutdown_background(),
        ShutdownWait::AtMost(limit) => runtime.shutdown_timeout(limit),
        ShutdownWait::Forever => drop(runtime),
    }
}

impl Drop for TokioSide {
    fn drop(&mut self) {
        if os::is_forked() {
            // Without the lock, which a thread of the parent may hold.
            std::mem::forget(self.own.get_mut().unwrap_or_else(PoisonError::into_inner).take());
            std::mem::forget(self.lent.take());
            return;
        }
        let deadline = self.deadline.get();
        let patience =
            deadline.map_or(ShutdownWait::Forever, |deadline| ShutdownWait::until(*deadline));
        if let Some(lent) = self.lent.take() {
            // This struct holds the other count as well.
            drop(self.own.get_mut().unwrap_or_else(PoisonError::into_inner).take());
            self.end_one(lent, patience);
        } else {
            self.end(patience);
        }
    }
}
