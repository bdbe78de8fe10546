//! What threads, jobs and handles of one runtime share. It owns no thread.
//!
//! Jobs and threads own a reference count of the core, never of the runtime. So a job that still
//! runs when the last handle is dropped keeps alive only what it uses.

use std::any::Any;
use std::ops::Deref;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::bridge::{Held, Priority, Queue};
use crate::metrics::RuntimeCounters;
use crate::scheduler::{Arm, MabKnobs, MabScheduler, Profile, Record, Run, Site, Table};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, OnceLock, Weak};
use crate::topology::Plan;
#[cfg(any(feature = "plugin-host", feature = "test-util"))]
use crate::topology::os;

use super::backlog::Backlog;
use super::compute_ids::ComputeIds;
use super::compute_thread;
use super::drainer_cpus::DrainerCpus;
#[cfg(feature = "plugin-host")]
use super::extension::Extension;
#[cfg(feature = "fleet")]
use super::far::Transport;
use super::function::{Function, nanos};
use super::gate::Gates;
use super::installs::Installs;
use super::io_side::IoSide;
use super::knocks::Knocks;
use super::lifecycle::Lifecycle;
use super::live_budget::LiveBudget;
use super::local_core::LocalTasks;
use super::overrides::Overrides;
use super::owner::Owner;
use super::paused::PauseGuard;
#[cfg(feature = "test-util")]
use super::paused::PausedTime;
use super::pools::{ComputePlacements, Pools};
use super::run_times::ClosureTimes;
use super::slow_polls::SlowPolls;
use super::spares::Spares;
use super::watched::{Watched, Work};
use super::withheld::WithheldQueue;

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// The fields that every call writes are on one cache line, ahead of the rest. A call that is made
/// on one CPU and run on another moves that line two or three times, instead of five.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Core {
    in_flight: Work,
    pub(crate) lifecycle: Lifecycle,
    /// Compute calls that wait for a thread.
    pub(crate) queue: Queue,
    rest: Rest,
}

/// The fields that calls only read, or seldom change.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Rest {
    /// Unique in this process.
    pub(crate) id: u64,
    /// The start of the runtime's clock, which the scheduler uses.
    started: Instant,
    pub(crate) knobs: MabKnobs,
    pub(crate) backlog: Backlog,
    pub(crate) withheld_queue: WithheldQueue,
    /// What an earlier run of the program has learned.
    pub(crate) profile: OnceLock<Profile>,
    pub(crate) overrides: Overrides,
    /// The arm of all adaptive functions, if a test forces one.
    pub(crate) forced: OnceLock<Arm>,
    /// The paused time, where a test pauses it.
    #[cfg(feature = "test-util")]
    pub(crate) paused: OnceLock<Arc<PausedTime>>,
    /// Whether the keeper checks this core from time to time.
    pub(super) watched: Watched,
    /// 0 only where the system refused the threads of the process-wide pool.
    pub(crate) compute_threads: usize,
    /// How many compute calls may wait before the `try_` forms refuse.
    pub(crate) compute_queue: usize,
    /// The runtime's own I/O side. That of the process-wide pool has no workers, and stands for callers
    /// outside of any tokio runtime.
    pub(crate) io: IoSide,
    pub(crate) plan: Arc<Plan>,
    pub(crate) counters: RuntimeCounters,
    pub(crate) slow_polls: Box<SlowPolls>,
    /// The scheduler of manual decisions, made at first use.
    pub(crate) manual: OnceLock<Arc<MabScheduler>>,
    pub(crate) closures: ClosureTimes,
    /// The wakers that drainers hold back, by pool and thread.
    pub(super) held: Box<[Held]>,
    pub(crate) installs: Installs,
    /// On which CPUs drainers run.
    pub(crate) drainer_cpus: DrainerCpus,
    functions: Table<Arc<Function>>,
    pub(crate) gates: Gates,
    /// Blocking functions that wait for a thread.
    pub(crate) blocking_queued: Work,
    /// Tokio's threads, workers and blocking threads, where this runtime started them.
    pub(crate) tokio_threads: AtomicUsize,
    /// How many of them are workers; unset beside a given tokio runtime.
    pub(crate) own_workers: OnceLock<usize>,
    /// How many tasks each local core has; unset without local cores.
    pub(crate) local_tasks: OnceLock<Vec<Arc<LocalTasks>>>,
    /// Set once the threads have started. Weak: they and their jobs must not keep the pools alive.
    pub(crate) pools: OnceLock<Weak<Pools>>,
    /// The handle that users hold; a higher module knows its type.
    handle: OnceLock<Weak<dyn Any + Send + Sync>>,
    pub(crate) tokio: OnceLock<Handle>,
    pub(crate) compute_placements: ComputePlacements,
    pub(crate) compute_ids: ComputeIds,
    /// The threads that take the places of compute threads that wait.
    pub(crate) spares: Arc<Spares>,
    pub(crate) knocks: Knocks,
    /// What the keeper has measured while it watched this core, until it watches it again. A higher
    /// module knows the type.
    pub(crate) measured: Mutex<Option<Box<dyn Any + Send>>>,
    /// What the system allows at this moment.
    pub(crate) live_budget: LiveBudget,
    /// The host, where this runtime is a plug-in's.
    pub(crate) owner: Owner,
    /// The way to other processes.
    #[cfg(feature = "fleet")]
    pub(crate) transport: OnceLock<Arc<dyn Transport>>,
    /// What a higher module keeps for this runtime.
    #[cfg(feature = "plugin-host")]
    pub(crate) extension: OnceLock<Arc<dyn Extension>>,
}

impl Deref for Core {
    type Target = Rest;

    fn deref(&self) -> &Rest {
        &self.rest
    }
}

impl Core {
    pub(crate) fn new(
        plan: Arc<Plan>,
        io_workers: Option<usize>,
        compute_threads: usize,
        compute_queue: usize,
        knobs: MabKnobs,
    ) -> Self {
        Self {
            in_flight: Work::default(),
            lifecycle: Lifecycle::default(),
            queue: Queue::new(compute_threads),
            rest: Rest {
                id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
                started: Instant::now(),
                knobs,
                backlog: Backlog::default(),
                withheld_queue: WithheldQueue::default(),
                profile: OnceLock::new(),
                overrides: Overrides::default(),
                forced: OnceLock::new(),
                #[cfg(feature = "test-util")]
                paused: OnceLock::new(),
                watched: Watched::default(),
                compute_threads,
                compute_queue,
                io: IoSide::new(io_workers),
                closures: ClosureTimes::new(),
                held: (0..2 * compute_threads).map(|_| Held::default()).collect(),
                installs: Installs::default(),
                drainer_cpus: DrainerCpus::new(&plan.budget.cpus),
                live_budget: LiveBudget::new(&plan.budget),
                plan,
                counters: RuntimeCounters::default(),
                slow_polls: Box::default(),
                manual: OnceLock::new(),
                functions: Table::default(),
                gates: Gates::default(),
                blocking_queued: Work::default(),
                tokio_threads: AtomicUsize::new(0),
                own_workers: OnceLock::new(),
                local_tasks: OnceLock::new(),
                pools: OnceLock::new(),
                handle: OnceLock::new(),
                tokio: OnceLock::new(),
                compute_placements: ComputePlacements::default(),
                compute_ids: ComputeIds::default(),
                spares: Arc::default(),
                knocks: Knocks::default(),
                measured: Mutex::new(None),
                owner: Owner::default(),
                #[cfg(feature = "fleet")]
                transport: OnceLock::new(),
                #[cfg(feature = "plugin-host")]
                extension: OnceLock::new(),
            },
        }
    }

    /// This runtime's record of a site, for one class of its inputs.
    pub(crate) fn function(&self, site: &'static Site, class: u8) -> &Arc<Function> {
        self.functions.entry(site.index(class), || {
            let record = Record::default();
            let sizes = site.sizes(class);
            let profile = self.profile.get();
            if let Some(parts) = profile.and_then(|it| it.of(site.name(), sizes.as_ref())) {
                record.prime(parts);
            }
            Arc::new(Function::new(site, class, record))
        })
    }

    /// The function with this index, if it was called here.
    #[cfg(feature = "tower")]
    pub(crate) fn function_at(&self, index: u32) -> Option<&Function> {
        self.functions.get(index).map(|function| &**function)
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().map(|function| &**function)
    }

    /// The functions of this path or name: the instances of a generic one, and its classes of inputs.
    pub(crate) fn functions_named(&self, name: &str) -> impl Iterator<Item = &Function> {
        self.functions()
            .filter(move |function| function.site.path() == name || function.site.name() == name)
    }

    /// Records how long one call of a function took.
    pub(crate) fn ran(&self, function: &Function, arm: Arm, run: Run) {
        function.record.observe(&self.knobs, arm, run, self.now());
        if arm == Arm::OffloadRayon {
            function.on_pool.record(run.took);
            function.takes.record(run.took);
        }
        function.counters.run_times.record(run.took);
    }

    /// Nanoseconds since this runtime was made.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.started.elapsed())
    }

    /// Stores the handle that users hold, weakly.
    pub(crate) fn set_handle<T: Any + Send + Sync>(&self, handle: &Arc<T>) {
        let handle: Weak<T> = Arc::downgrade(handle);
        // It is set once, by the code that makes core and handle.
        let _ = self.handle.set(handle);
    }

    /// The handle that users hold, while one exists.
    pub(crate) fn handle<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.handle.get()?.upgrade()?.downcast().ok()
    }

    /// Whether a handle of the runtime exists.
    #[cfg(feature = "plugin")]
    pub(crate) fn is_held(&self) -> bool {
        self.handle.get().is_some_and(|handle| handle.strong_count() > 0)
    }

    /// Ends the pause, so that tokio can end.
    #[cfg(feature = "test-util")]
    pub(crate) fn resume_time(&self) {
        if let Some(time) = self.paused.get().filter(|_| !os::is_forked()) {
            time.release();
        }
    }

    /// Only tests pause time.
    #[cfg(not(feature = "test-util"))]
    #[expect(clippy::unused_self, reason = "the other form reads it")]
    pub(crate) fn resume_time(&self) {}

    /// Stops paused time until the guard is dropped.
    #[cfg(feature = "test-util")]
    pub(crate) fn pause_time(&self) -> PauseGuard {
        PauseGuard::of(self.paused.get())
    }

    /// Only tests pause time.
    #[cfg(not(feature = "test-util"))]
    #[expect(clippy::unused_self, reason = "the other form reads it")]
    pub(crate) fn pause_time(&self) -> PauseGuard {
        PauseGuard
    }

    /// How long a call that is made now would wait, if that is longer than `bound`. `None` also
    /// where the call is to be made as a probe.
    pub(crate) fn would_wait(&self, priority: Priority, bound: Duration) -> Option<Duration> {
        let (waiting, now) = (self.queue.waiting(), self.now());
        let wait = self.backlog.expected(priority, waiting, now);
        (wait > bound && !self.backlog.may_probe(priority, bound, now)).then_some(wait)
    }

    /// The compute pools, unless the runtime has ended.
    pub(crate) fn pools(&self) -> Option<Arc<Pools>> {
        self.pools.get()?.upgrade()
    }

    /// Makes the calling thread a compute thread of this runtime until the thread ends.
    pub(crate) fn begin_compute_thread(&self) {
        self.compute_ids.add_this_thread();
        compute_thread::begin(self.id);
    }

    /// Whether the calling thread is a compute thread of this runtime, or a spare.
    pub(crate) fn is_own_compute_thread(&self) -> bool {
        compute_thread::is_of(self.id)
    }

    /// Whether this is the core of the process-wide pool, which any tokio runtime of the program
    /// uses.
    pub(crate) fn is_process_wide(&self) -> bool {
        self.io.workers.is_none()
    }

    /// Whether tokio would have to start its first thread for a blocking function.
    pub(crate) fn has_no_blocking_thread(&self) -> bool {
        let threads = self.tokio_threads.load(Ordering::Relaxed);
        self.own_workers.get().is_some_and(|workers| threads <= *workers)
    }

    /// How much tracked work is not a compute call: async tasks, those of local cores included,
    /// and blocking functions.
    pub(crate) fn tasks(&self) -> usize {
        let uncounted = self.local_tasks.get().into_iter().flatten().map(|tasks| tasks.uncounted());
        self.lifecycle.count().saturating_sub(self.in_flight()) + uncounted.sum::<usize>()
    }

    /// Compute calls that were submitted and have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.count()
    }

    /// Counts a compute call, and returns how many were in flight before. Only for [`begin_call`](
    /// crate::threads::begin_call), which also makes the keeper watch the core.
    pub(crate) fn count_call(&self) -> usize {
        self.in_flight.begin()
    }

    pub(crate) fn end_call(&self, has_panicked: bool) {
        self.owner.end_call(has_panicked);
        self.in_flight.end();
    }

    /// The extension, made if there is none.
    #[cfg(feature = "plugin-host")]
    pub(crate) fn extension<T: Extension + Default>(&self) -> &T {
        let extension = self.extension.get_or_init(|| Arc::new(T::default()));
        let extension: &dyn Any = &**extension;
        extension.downcast_ref().expect("only one module extends a runtime")
    }

    /// Informs the extension, if there is one, that the runtime has ended.
    #[cfg(feature = "plugin-host")]
    pub(crate) fn end_extension(&self) {
        // A forked child has none of the runtime's threads, but may have locks that one of them
        // held.
        if let Some(extension) = self.extension.get().filter(|_| !os::is_forked()) {
            extension.end();
        }
    }

    /// Notes that there is work. True if the keeper does not watch this core: the caller then makes
    /// the keeper watch it, or calls [`is_not_watched`](Self::is_not_watched) if that fails.
    #[must_use]
    pub(crate) fn needs_a_watch(&self) -> bool {
        self.watched.begin()
    }

    /// Whether the keeper looks at this core from time to time.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.is_on()
    }

    /// The keeper does not watch this core, or will not: the next call makes it try again.
    pub(crate) fn is_not_watched(&self) {
        self.watched.stop(&self.held);
    }

    /// Whether the keeper may forget this core: it has no work now, and had none since the
    /// keeper's last call.
    pub(crate) fn may_be_left_alone(&self) -> bool {
        self.watched.may_end(&self.held, || self.has_work())
    }

    /// Whether there is work that needs a thread of the pool, or a blocking thread.
    pub(crate) fn has_work(&self) -> bool {
        self.in_flight() > 0 || self.blocking_queued.count() > 0 || self.installs.is_any()
    }
}

#[cfg(all(test, not(loom_model)))]
#[path = "tests.rs"]
mod tests;
