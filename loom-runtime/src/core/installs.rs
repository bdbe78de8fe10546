//! Work that goes to the compute pool itself, past the queue.

use crate::sync::atomic::{AtomicUsize, Ordering};

use super::pools::{Pools, Which};
use super::watched::Work;

/// Counts the callers of `install`.
#[derive(Debug, Default)]
pub(crate) struct Installs {
    all: Work,
    /// Those whose work has not started yet, for each pool.
    waiting: [AtomicUsize; 2],
}

/// A caller, until this is dropped.
pub(crate) struct Installing<'a>(&'a Installs);

impl Installs {
    /// Counts a caller, which then makes the keeper watch the core.
    pub(crate) fn begin(&self) -> Installing<'_> {
        self.all.begin();
        Installing(self)
    }

    pub(super) fn is_any(&self) -> bool {
        self.all.count() > 0
    }

    /// Whether installed work waits for a thread of this pool.
    pub(crate) fn is_waiting(&self, pool: Which) -> bool {
        // Relaxed: a hint; a drainer that misses it yields to the pool some milliseconds later.
        self.waiting[pool as usize].load(Ordering::Relaxed) > 0
    }
}

impl Installing<'_> {
    /// Runs `f` on the nearest pool. Until it starts, that pool's drainers see that a caller waits
    /// for a thread.
    pub(crate) fn run<R: Send>(&self, pools: &Pools, f: impl FnOnce() -> R + Send) -> R {
        let pool = pools.nearest();
        let waiting = &self.0.waiting[pool as usize];
        waiting.fetch_add(1, Ordering::Relaxed);
        pools.get(pool).install(|| {
            waiting.fetch_sub(1, Ordering::Relaxed);
            f()
        })
    }
}

impl Drop for Installing<'_> {
    fn drop(&mut self) {
        self.0.all.end();
    }
}
