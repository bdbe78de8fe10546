//! The tokio runtime as a part that may end on any thread, and before its handles do.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime, RuntimeFlavor};

use crate::sync::{Arc, Mutex, OnceLock, PoisonError, thread};
use crate::topology::os;

use crate::core::context::{self, MayBlock};

/// How long the end waits for blocking functions that have started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ShutdownWait {
    None,
    AtMost(Duration),
    Forever,
}

impl ShutdownWait {
    /// What is left of it now.
    pub(crate) fn until(deadline: Instant) -> Self {
        Self::AtMost(deadline.saturating_duration_since(Instant::now()))
    }
}

pub(crate) struct TokioSide {
    handle: Handle,
    is_current_thread: bool,
    /// Taken when it ends. `None` beside a given tokio runtime.
    own: Mutex<Option<Arc<Runtime>>>,
    /// Lent out as a reference, so it has to stay as long as this does.
    lent: OnceLock<Arc<Runtime>>,
    /// Until when a drop waits for blocking functions; without it, until they end.
    deadline: OnceLock<Instant>,
    /// Ends it in another way, if that is set; the calling thread does not wait for it.
    ender: Option<Ender>,
}

/// Ends a runtime.
pub(crate) type Ender = Box<dyn Fn(Runtime) + Send + Sync>;

impl TokioSide {
    pub(crate) fn of(runtime: Runtime) -> Self {
        let handle = runtime.handle().clone();
        Self::new(handle, Some(Arc::new(runtime)))
    }

    /// One that `ender` ends.
    #[cfg(feature = "plugin")]
    pub(crate) fn ended_by(runtime: Runtime, ender: Ender) -> Self {
        let mut side = Self::of(runtime);
        side.ender = Some(ender);
        side
    }

    /// A runtime that the program owns.
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

    /// The runtime, unless the program owns it or it has ended. From now on it ends with the last
    /// handle, not before.
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

    /// Drives `future` on the calling thread, and on a current-thread runtime the tasks.
    #[track_caller]
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        // A multi-thread runtime needs no thread to drive it, and may end meanwhile.
        let driven = Driven(self.is_current_thread.then(|| self.runtime()).flatten());
        match &driven.0 {
            Some(runtime) => runtime.block_on(future),
            None => self.handle.block_on(future),
        }
    }

    /// Bounds the wait for blocking functions in a drop; the first bound stays.
    pub(crate) fn wait_until(&self, deadline: Instant) {
        self.deadline.get_or_init(|| deadline);
    }

    /// Ends a runtime that Loom started, if it has not ended: tasks are dropped at their next await.
    pub(crate) fn end(&self, patience: ShutdownWait) {
        let runtime = self.own.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            self.end_one(runtime, patience);
        }
    }

    fn end_one(&self, runtime: Arc<Runtime>, patience: ShutdownWait) {
        let Some(ender) = &self.ender else { return end(runtime, patience) };
        // While it is lent out, that is the last.
        if let Some(runtime) = Arc::into_inner(runtime) {
            ender(runtime);
        }
    }

    /// Leaves it where it is: a forked child has no thread to end.
    pub(crate) fn forget(&self) {
        // The thread that held the lock is not in this process.
        if let Ok(mut own) = self.own.try_lock() {
            std::mem::forget(own.take());
        }
        std::mem::forget(self.lent.get().cloned());
    }
}

/// A runtime while a thread drives it, which may turn out to be its last.
struct Driven(Option<Arc<Runtime>>);

impl Drop for Driven {
    fn drop(&mut self) {
        // That the end came meanwhile is no reason to wait here.
        if let Some(runtime) = self.0.take() {
            end(runtime, ShutdownWait::None);
        }
    }
}

fn end(runtime: Arc<Runtime>, patience: ShutdownWait) {
    // While it is lent out, or driven by another thread, that one is the last.
    let Some(runtime) = Arc::into_inner(runtime) else { return };
    // Tokio panics when a thread that drives async code waits here, and a compute thread
    // has others waiting for it.
    match (context::may_block(), patience) {
        (MayBlock::No, _) | (_, ShutdownWait::None) => runtime.shutdown_background(),
        (MayBlock::Yes, patience) => wait(runtime, patience),
        (MayBlock::Unknown, patience) => {
            // Within a guard tokio does not say whether it would panic. Another thread may wait, and
            // this one waits for that thread.
            let kept = Arc::new(Mutex::new(Some(runtime)));
            let taken = Arc::clone(&kept);
            let body = move || take(&taken).map(|runtime| wait(runtime, patience));
            match thread::Builder::new().name("loom-end".to_owned()).spawn(body) {
                // It does nothing that panics.
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
            // Not by the lock, which may be held by a thread of the parent.
            std::mem::forget(self.own.get_mut().unwrap_or_else(PoisonError::into_inner).take());
            std::mem::forget(self.lent.take());
            return;
        }
        let deadline = self.deadline.get();
        let patience =
            deadline.map_or(ShutdownWait::Forever, |deadline| ShutdownWait::until(*deadline));
        if let Some(lent) = self.lent.take() {
            // This side holds the other count as well.
            drop(self.own.get_mut().unwrap_or_else(PoisonError::into_inner).take());
            self.end_one(lent, patience);
        } else {
            self.end(patience);
        }
    }
}
