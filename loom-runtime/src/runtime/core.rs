//! What threads, jobs and handles of one runtime share, and no thread by itself.
//!
//! Jobs and threads own a count of the core, never of the runtime: a job that is still
//! running when the last handle goes keeps what it touches, and no more.

use rayon::ThreadPool;

use crate::metrics::{FunctionCounters, RuntimeCounters};
use crate::scheduler::{Caller, Estimate, RecentlySlow, Site, Table};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, OnceLock, Weak};

use super::handle::Inner;
use super::shutdown::Lifecycle;

/// How many samples the bridge's overhead remembers.
const OVERHEAD_MEMORY: u32 = 16;
/// How many samples a function's run time remembers.
const RUN_TIME_MEMORY: u32 = 8;

#[derive(Debug, Default)]
pub(crate) struct Core {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) counters: RuntimeCounters,
    /// The bridge's overhead: round trip less run time.
    pub(crate) overhead: Estimate<OVERHEAD_MEMORY>,
    functions: Table<Function>,
    in_flight: AtomicUsize,
    /// I/O workers, where they are ours.
    io_workers: Option<usize>,
    /// None only where the system refused the process-wide pool its threads.
    pub(crate) compute_threads: usize,
    /// Set once the threads have started; they and their jobs must not keep it alive.
    pub(crate) pool: OnceLock<Weak<ThreadPool>>,
    pub(crate) runtime: OnceLock<Weak<Inner>>,
}

/// What one runtime knows of one function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) site: &'static Site,
    pub(crate) run_time: Estimate<RUN_TIME_MEMORY>,
    pub(crate) counters: FunctionCounters,
    pub(crate) slow: RecentlySlow,
}

impl Core {
    pub(crate) fn new(io_workers: Option<usize>, compute_threads: usize) -> Self {
        Self { io_workers, compute_threads, ..Self::default() }
    }

    /// This runtime's record of a site.
    pub(crate) fn function(&self, site: &'static Site) -> &Function {
        self.functions.entry(site.index(), || Function {
            site,
            run_time: Estimate::default(),
            counters: FunctionCounters::default(),
            slow: RecentlySlow::default(),
        })
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter()
    }

    /// The pool, unless the runtime is gone.
    pub(crate) fn pool(&self) -> Option<Arc<ThreadPool>> {
        self.pool.get()?.upgrade()
    }

    /// Whether the I/O side belongs to somebody else (a plain tokio program).
    pub(crate) fn is_compute_only(&self) -> bool {
        self.io_workers.is_none()
    }

    /// Who is asking, in the scheduler's words.
    pub(crate) fn caller(&self) -> Caller {
        if self.compute_threads == 0 {
            Caller::NoPool
        } else if self.pool().is_some_and(|pool| pool.current_thread_index().is_some()) {
            Caller::ComputeWorker
        } else if self.io_workers.is_none_or(|n| n == 1) {
            Caller::LoneIoWorker
        } else {
            Caller::IoWorker
        }
    }

    /// Compute calls that were submitted and have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Counts a compute call in; true if a compute thread should be free for it.
    pub(crate) fn begin_call(&self) -> bool {
        self.in_flight.fetch_add(1, Ordering::Relaxed) < self.compute_threads
    }

    pub(crate) fn end_call(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
