//! The tokio runtime as a part that may end on any thread, and before its handles do.

use std::time::Duration;

use tokio::runtime::{Handle, Runtime, RuntimeFlavor};

use crate::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::context;

/// How long the end waits for blocking functions that have started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    None,
    AtMost(Duration),
    Forever,
}

pub(crate) struct TokioSide {
    handle: Handle,
    /// Taken when it ends. None where it belongs to somebody else.
    own: Mutex<Option<Arc<Runtime>>>,
    /// Lent out as a reference, so it has to stay as long as this does.
    lent: OnceLock<Arc<Runtime>>,
    /// How long a drop waits for blocking functions; without it, until they end.
    limit: OnceLock<Duration>,
}

impl TokioSide {
    pub(crate) fn of(runtime: Runtime) -> Self {
        let handle = runtime.handle().clone();
        Self::new(handle, Some(Arc::new(runtime)))
    }

    /// Somebody else's.
    pub(crate) fn beside(handle: Handle) -> Self {
        Self::new(handle, None)
    }

    fn new(handle: Handle, own: Option<Arc<Runtime>>) -> Self {
        Self { handle, own: Mutex::new(own), lent: OnceLock::new(), limit: OnceLock::new() }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Whether it was made here, and has not ended.
    pub(crate) fn is_ours(&self) -> bool {
        self.runtime().is_some()
    }

    fn is_current_thread(&self) -> bool {
        self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread
    }

    /// The runtime, unless it is somebody else's or has ended. From now on it ends with
    /// the last handle, not before.
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
        // A runtime of workers needs nobody to drive it, and may end meanwhile.
        match self.runtime().filter(|_| self.is_current_thread()) {
            Some(runtime) => {
                let output = runtime.block_on(future);
                // The last one only if the end came meanwhile; that has waited already.
                end(runtime, Patience::None);
                output
            }
            None => self.handle.block_on(future),
        }
    }

    /// Bounds the wait for blocking functions in a drop; the first bound stays.
    pub(crate) fn wait_at_most(&self, limit: Duration) {
        self.limit.get_or_init(|| limit);
    }

    /// Ends a runtime of ours, if it has not ended: tasks are dropped at their next await.
    pub(crate) fn end(&self, patience: Patience) {
        let runtime = self.own.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            end(runtime, patience);
        }
    }

    /// Leaves it where it is: a forked child has no thread to end.
    pub(crate) fn forget(&self) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::forget(own.take());
        std::mem::forget(self.lent.get().cloned());
    }
}

fn end(runtime: Arc<Runtime>, patience: Patience) {
    // While it is lent out, or driven by another thread, that one is the last.
    let Some(runtime) = Arc::into_inner(runtime) else { return };
    match patience {
        // Tokio panics when a thread that drives async code waits here, and a compute
        // thread has others waiting for it.
        _ if !context::is_free_to_wait() => runtime.shutdown_background(),
        Patience::None => runtime.shutdown_background(),
        Patience::AtMost(limit) => runtime.shutdown_timeout(limit),
        Patience::Forever => drop(runtime),
    }
}

impl Drop for TokioSide {
    fn drop(&mut self) {
        let patience = self.limit.get().map_or(Patience::Forever, |limit| Patience::AtMost(*limit));
        if let Some(lent) = self.lent.take() {
            // The other count is ours as well.
            drop(self.own.get_mut().unwrap_or_else(PoisonError::into_inner).take());
            end(lent, patience);
        } else {
            self.end(patience);
        }
    }
}
