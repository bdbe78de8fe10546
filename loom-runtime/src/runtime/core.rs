//! What threads, jobs and handles of one runtime share, and no thread by itself.
//!
//! Jobs and threads own a count of the core, never of the runtime: a job that is still
//! running when the last handle goes keeps what it touches, and no more.

use std::any::TypeId;
use std::ops::Deref;
use std::panic::Location;
use std::time::Instant;

use rayon::ThreadPool;
use tokio::runtime::Handle;

use crate::bridge::Line;
use crate::metrics::{FunctionCounters, RuntimeCounters};
use crate::scheduler::{
    Arm, Around, Caller, Estimate, MabKnobs, MabScheduler, Overhead, Record, Site, Table, Trie,
};
use crate::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, OnceLock, Weak};
use crate::topology::{Plan, ThreadPlacement, os};

use super::backlog::Backlog;
use super::functions::nanos;
use super::handle::Inner;
#[cfg(feature = "test-util")]
use super::hold::Held;
use super::keeper;
use super::lifecycle::Lifecycle;
use super::local::{self, Tasks};
use super::owner::Owner;
#[cfg(feature = "plugin-host")]
use super::plugin_host::Plugins;
use super::pressure::Pressure;
use super::profile::ProfileFile;
use super::shares::Shares;
use super::spread::Spread;

/// The keeper knows nothing of this core.
const UNWATCHED: u32 = 0;
/// It looks, and there was work since it last did.
const WATCHED: u32 = 1;
/// It looks, and there was none.
const QUIET: u32 = 2;
/// How long scopes of one kind take; remembers eight of them or so.
pub(crate) type ScopeTimes = Estimate<8>;
/// The number of the next runtime.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// What every call changes stands on one cache line, ahead of the rest: a call that is made
/// on one CPU and run on another moves that line twice or three times, not five.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Core {
    in_flight: AtomicUsize,
    pub(crate) lifecycle: Lifecycle,
    /// Compute calls that wait for a thread.
    pub(crate) line: Line,
    rest: Rest,
}

/// What calls read, or change seldom.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Rest {
    /// Nobody else's in this process.
    pub(crate) id: u64,
    /// What times of the scheduler count from.
    started: Instant,
    pub(crate) knobs: MabKnobs,
    pub(crate) pressure: Pressure,
    pub(crate) backlog: Backlog,
    /// What was learned another time, and where that is kept.
    pub(crate) profile: OnceLock<ProfileFile>,
    /// Where the calls of adaptive functions run, if a test says so.
    pub(crate) forced: OnceLock<Arm>,
    /// The time, where a test holds it.
    #[cfg(feature = "test-util")]
    pub(crate) held: OnceLock<Arc<Held>>,
    /// Nanoseconds that inline calls took.
    pub(crate) inline_nanos: AtomicU64,
    /// Whether the keeper looks at this core from time to time: one of the words above.
    watched: AtomicU32,
    /// None only where the system refused the process-wide pool its threads.
    pub(crate) compute_threads: usize,
    /// How many compute calls may wait before the `try_` forms refuse.
    pub(crate) compute_queue: usize,
    /// I/O workers, where there is a runtime that has them.
    io_workers: Option<usize>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) counters: RuntimeCounters,
    /// The bridge's overhead: round trip less run time.
    pub(crate) overhead: Arc<Overhead>,
    /// Decisions by hand, once somebody asks for them.
    pub(crate) manual: OnceLock<Arc<MabScheduler>>,
    /// How long scopes take, by closure and place.
    scopes: Trie<(TypeId, &'static Location<'static>), Arc<ScopeTimes>>,
    /// Callers of `install` whose work has yet to start.
    installing: AtomicUsize,
    /// Where drainers run.
    pub(crate) spread: Spread,
    functions: Table<Arc<Function>>,
    /// Blocking functions that wait for a thread.
    pub(crate) blocking_queued: AtomicUsize,
    /// Tokio's threads of either kind, where they are ours.
    pub(crate) tokio_threads: AtomicUsize,
    /// How many of them are workers; not set where they are not ours.
    pub(crate) own_workers: OnceLock<usize>,
    /// How many tasks each local core has, where there are any.
    pub(crate) local_tasks: OnceLock<Vec<Arc<Tasks>>>,
    /// Set once the threads have started; they and their jobs must not keep it alive.
    pub(crate) pool: OnceLock<Weak<ThreadPool>>,
    pub(crate) runtime: OnceLock<Weak<Inner>>,
    pub(crate) tokio: OnceLock<Handle>,
    /// Where the compute threads are, once they have said so.
    pub(crate) compute_seats: OnceLock<Vec<ThreadPlacement>>,
    /// Whose runtime this is a part of, where that is another library's.
    pub(crate) owner: Owner,
    /// The plug-ins that use this runtime.
    #[cfg(feature = "plugin-host")]
    pub(crate) plugins: Plugins,
}

impl Deref for Core {
    type Target = Rest;

    fn deref(&self) -> &Rest {
        &self.rest
    }
}

/// What one runtime knows of one function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) site: &'static Site,
    /// Which sizes of input it is about, where calls tell.
    pub(crate) class: u8,
    pub(crate) record: Record,
    pub(crate) shares: Shares,
    pub(crate) counters: FunctionCounters,
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
            in_flight: AtomicUsize::new(0),
            lifecycle: Lifecycle::default(),
            line: Line::new(compute_threads),
            rest: Rest {
                id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
                started: Instant::now(),
                knobs,
                pressure: Pressure::default(),
                backlog: Backlog::default(),
                profile: OnceLock::new(),
                forced: OnceLock::new(),
                #[cfg(feature = "test-util")]
                held: OnceLock::new(),
                inline_nanos: AtomicU64::new(0),
                watched: AtomicU32::new(UNWATCHED),
                compute_threads,
                compute_queue,
                io_workers,
                scopes: Trie::new(),
                installing: AtomicUsize::new(0),
                spread: Spread::new(&plan.budget.cpus),
                plan,
                counters: RuntimeCounters::default(),
                overhead: Arc::default(),
                manual: OnceLock::new(),
                functions: Table::default(),
                blocking_queued: AtomicUsize::new(0),
                tokio_threads: AtomicUsize::new(0),
                own_workers: OnceLock::new(),
                local_tasks: OnceLock::new(),
                pool: OnceLock::new(),
                runtime: OnceLock::new(),
                tokio: OnceLock::new(),
                compute_seats: OnceLock::new(),
                owner: Owner::default(),
                #[cfg(feature = "plugin-host")]
                plugins: Plugins::default(),
            },
        }
    }

    /// This runtime's record of a site, for one class of its inputs.
    pub(crate) fn function(&self, site: &'static Site, class: u8) -> &Arc<Function> {
        self.functions.entry(site.index(class), || {
            let record = Record::default();
            let sizes = site.sizes(class);
            let loaded = self.profile.get().map(|profile| &profile.loaded);
            if let Some(parts) = loaded.and_then(|of| of.of(site.name(), sizes.as_ref())) {
                record.prime(parts);
            }
            Arc::new(Function {
                site,
                class,
                record,
                shares: Shares::default(),
                counters: FunctionCounters::default(),
            })
        })
    }

    /// Writes down what was learned, where there is a place for it, at the end.
    pub(crate) fn keep_profile(&self) {
        // A forked child has learned nothing that its parent does not know.
        if let Some(profile) = self.profile.get().filter(|_| !os::is_forked()) {
            profile.write(self);
        }
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().map(|function| &**function)
    }

    /// How long scopes of this closure have taken, of those that are made at this place.
    pub(crate) fn scope_times(
        &self,
        closure: TypeId,
        place: &'static Location<'static>,
    ) -> Arc<ScopeTimes> {
        Arc::clone(self.scopes.entry((closure, place), Arc::default))
    }

    /// Nanoseconds since this runtime was made.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.started.elapsed())
    }

    /// What decisions depend on beside the function, as it is now.
    pub(crate) fn around(&self, now: u64) -> Around {
        if let Some((ready, arrivals, mood)) = self.owner.pressure() {
            self.pressure.is_told(ready, arrivals, mood);
        } else if let Some(tokio) = self.tokio.get() {
            let inline = self.inline_nanos.load(Ordering::Relaxed);
            self.pressure.refresh(tokio, &self.knobs, inline, now);
        }
        Around {
            caller: self.caller(),
            told: None,
            overhead: self.overhead.belief(self.knobs.offload_overhead_us() * 1e3),
            overhead_age: self.overhead.age(now),
            pressure: self.pressure.ready(),
            arrivals: self.pressure.arrivals(),
        }
    }

    /// The pool, unless the runtime is gone.
    pub(crate) fn pool(&self) -> Option<Arc<ThreadPool>> {
        self.pool.get()?.upgrade()
    }

    /// Whether the I/O side is any that happens to ask (a plain tokio program).
    pub(crate) fn is_process_wide(&self) -> bool {
        self.io_workers.is_none()
    }

    /// Whether tokio would have to start its first thread for a blocking function.
    pub(crate) fn has_no_blocking_thread(&self) -> bool {
        let threads = self.tokio_threads.load(Ordering::Relaxed);
        self.own_workers.get().is_some_and(|workers| threads <= *workers)
    }

    /// Who is asking, in the scheduler's words.
    pub(crate) fn caller(&self) -> Caller {
        if self.compute_threads == 0 {
            Caller::NoPool
        } else if self.is_own_compute_thread() {
            Caller::ComputeWorker
        } else if local::is_here() || self.io_workers.is_none_or(|n| n == 1) {
            // Nobody else runs the tasks of a local core.
            Caller::LoneIoWorker
        } else {
            Caller::IoWorker
        }
    }

    /// Verdicts are looked at again when it changes.
    #[inline]
    pub(crate) fn mood(&self) -> u32 {
        self.pressure.mood()
    }

    /// Whether the calling thread is one of this pool's.
    fn is_own_compute_thread(&self) -> bool {
        // First, since most callers are on no pool's thread, and the pool is counted.
        rayon::current_thread_index().is_some()
            && self.pool().is_some_and(|pool| pool.current_thread_index().is_some())
    }

    /// Tracked work that is no compute call: async tasks, those of local cores among them, and
    /// blocking functions.
    pub(crate) fn tasks(&self) -> usize {
        let uncounted = self.local_tasks.get().into_iter().flatten().map(|tasks| tasks.uncounted());
        self.lifecycle.count().saturating_sub(self.in_flight()) + uncounted.sum::<usize>()
    }

    /// Compute calls that were submitted and have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Runs `f` on the pool, and lets drainers know that somebody waits for a thread.
    pub(crate) fn install<R: Send>(&self, pool: &ThreadPool, f: impl FnOnce() -> R + Send) -> R {
        // Relaxed: a hint; a drainer that misses it looks some milliseconds later.
        self.installing.fetch_add(1, Ordering::Relaxed);
        pool.install(|| {
            self.installing.fetch_sub(1, Ordering::Relaxed);
            f()
        })
    }

    /// Whether installed work waits for a thread.
    pub(crate) fn is_installing(&self) -> bool {
        self.installing.load(Ordering::Relaxed) > 0
    }

    /// Counts a compute call in; tells how many there were.
    pub(crate) fn begin_call(self: &Arc<Self>) -> usize {
        // SeqCst: with `may_be_left_alone`.
        let before = self.in_flight.fetch_add(1, Ordering::SeqCst);
        self.be_watched();
        self.owner.begin_call();
        before
    }

    pub(crate) fn end_call(&self, has_panicked: bool) {
        self.owner.end_call(has_panicked);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Has the keeper look after this core while there is work in it.
    pub(crate) fn be_watched(self: &Arc<Self>) {
        // A load first: the line is shared by all who submit, and seldom changes.
        // SeqCst: with `may_be_left_alone`.
        match self.watched.load(Ordering::SeqCst) {
            WATCHED => {}
            QUIET if self.swap_watched(QUIET) => {}
            // The keeper may have forgotten it just now.
            _ if self.swap_watched(UNWATCHED) && keeper::watch(self).is_err() => {
                // Without a keeper nothing is watched; the next call tries again.
                self.watched.store(UNWATCHED, Ordering::Relaxed);
            }
            // It is watched from now on, whoever has seen to it.
            _ => {}
        }
    }

    fn swap_watched(&self, from: u32) -> bool {
        self.watched.compare_exchange(from, WATCHED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// For the keeper: whether it may forget this core, which had no work just now, and
    /// none since it was last asked.
    ///
    /// Either this sees the count of whoever comes in this instant, or they see that nobody
    /// watches: each writes one of the two before it reads the other, in one order of all.
    pub(crate) fn may_be_left_alone(&self) -> bool {
        if self.watched.load(Ordering::Relaxed) != QUIET {
            // There may have been work in between, and more at once: to come and go with
            // every call would cost more than to look once more.
            self.watched.store(QUIET, Ordering::Relaxed);
            return false;
        }
        self.watched.store(UNWATCHED, Ordering::SeqCst);
        let has_work = self.in_flight.load(Ordering::SeqCst) > 0
            || self.blocking_queued.load(Ordering::SeqCst) > 0;
        // Whoever came in meanwhile and found it so has had it watched anew.
        !has_work || self.watched.swap(WATCHED, Ordering::Relaxed) != UNWATCHED
    }
}

#[cfg(all(test, not(loom_model)))]
#[path = "core_tests.rs"]
mod tests;
