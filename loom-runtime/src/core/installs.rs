//! Work that goes to the compute pool itself, past the queue.

use rayon::ThreadPool;

use crate::sync::atomic::{AtomicUsize, Ordering};

/// Counts the callers of `install`.
#[derive(Debug, Default)]
pub(crate) struct Installs {
    all: AtomicUsize,
    /// Those whose work has not started yet.
    waiting: AtomicUsize,
}

/// A caller, until this is dropped.
pub(crate) struct Installing<'a>(&'a Installs);

impl Installs {
    /// Counts a caller, which then makes the keeper watch the core.
    pub(crate) fn begin(&self) -> Installing<'_> {
        // SeqCst: with `Core::may_be_left_alone`.
        self.all.fetch_add(1, Ordering::SeqCst);
        Installing(self)
    }

    pub(super) fn is_any(&self) -> bool {
        self.all.load(Ordering::SeqCst) > 0
    }

    /// Whether installed work waits for a thread.
    pub(crate) fn is_waiting(&self) -> bool {
        // Relaxed: a hint; a drainer that misses it yields to the pool some milliseconds later.
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Installing<'_> {
    /// Runs `f` on the pool. Until it starts, drainers see that a caller waits for a thread.
    pub(crate) fn run<R: Send>(&self, pool: &ThreadPool, f: impl FnOnce() -> R + Send) -> R {
        let waiting = &self.0.waiting;
        waiting.fetch_add(1, Ordering::Relaxed);
        pool.install(|| {
            waiting.fetch_sub(1, Ordering::Relaxed);
            f()
        })
    }
}

impl Drop for Installing<'_> {
    fn drop(&mut self) {
        self.0.all.fetch_sub(1, Ordering::SeqCst);
    }
}
