//! The runtime as a plug-in has it: what it asks for, done on this side.

use std::time::Duration;

use loom_abi::{Place, Pressure, Status, ThreadKind, Work};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{AbortHandle, block_in_place};

use crate::boundary::{Facts, ForeignCall, ForeignFuture, ForeignGuest, ForeignJob, Host};
use crate::bridge::Priority;
use crate::call::{CallOptions, ComputeFuture, is_on_a_worker, try_offload};
use crate::core::context::{self, MayBlock};
use crate::core::{Admitted, Core, Refusal, local_core};
use crate::panics::ignore_panic;
use crate::runtime::{Inner, LoomRuntime};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, PoisonError};
use crate::threads::{keeper, place_blocking_thread, task};
use crate::topology::os;

use super::counts::{Counted, Counts, Starting, Task};
use super::plugins::Plugins;
use super::stats::PluginStats;
use super::threads::{self, Threads};

/// How long the name of a plug-in is, of those that the system cuts off after 15 bytes, in the
/// names of its threads.
const NAMED: usize = 8;

/// One handle that was given to a plug-in, and what that does with it.
pub(crate) struct Hosted {
    core: Arc<Core>,
    tokio: Handle,
    prefix: String,
    name: String,
    /// `None` before the plug-in registers, and once it was told of the end.
    guest: Mutex<Option<ForeignGuest>>,
    /// Whether it has registered, or may not any more.
    is_taken: AtomicBool,
    /// It takes no work of this plug-in any more, whatever the runtime does.
    is_closed: AtomicBool,
    /// What it has spawned before it has started.
    pub(super) starting: Starting,
    /// Held while the plug-in is told, which runs code of its library.
    telling: Mutex<()>,
    pub(super) threads: Threads,
    pub(crate) counts: Arc<Counts>,
}

impl Hosted {
    pub(crate) fn new(runtime: &LoomRuntime, name: &str) -> Arc<Self> {
        let core = Arc::clone(runtime.core());
        let hosted = Arc::new(Self {
            tokio: runtime.tokio_handle().clone(),
            prefix: runtime.config().prefix.clone(),
            // Threads cannot have it in their names.
            name: name.replace('\0', "?"),
            guest: Mutex::new(None),
            is_taken: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            telling: Mutex::new(()),
            starting: Starting::default(),
            threads: Threads::default(),
            counts: Arc::default(),
            core,
        });
        hosted.core.extension::<Plugins>().add(&hosted);
        hosted
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the plug-in has and did.
    pub(super) fn stats(&self) -> PluginStats {
        let counts = &self.counts;
        PluginStats {
            name: self.name().to_owned(),
            tasks: counts.tasks.load(Ordering::Relaxed),
            spawned: counts.spawned.load(Ordering::Relaxed),
            compute_calls: counts.compute_calls.load(Ordering::Relaxed),
            computed: counts.computed.load(Ordering::Relaxed),
            panicked: counts.panicked.load(Ordering::Relaxed),
            threads: counts.threads.load(Ordering::Relaxed),
        }
    }

    /// It was unloaded, though threads may remember it.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Waits for what a library does on a thread of its own, where that may be waited for: a
    /// worker gives its other tasks away.
    ///
    /// # Panics
    ///
    /// On threads that must not wait, and cannot give their work away.
    #[track_caller]
    pub(super) fn wait<R>(&self, what: &str, f: impl FnOnce() -> R) -> R {
        let is_alone = self.tokio.runtime_flavor() == RuntimeFlavor::CurrentThread;
        let place = self.here();
        let refused = place == Place::COMPUTE
            || local_core::is_here()
            || place == Place::WORKER && is_alone && !is_on_a_worker();
        assert!(
            !refused,
            "{what} a plug-in waits for it, and this thread must not wait: do it before the \
             runtime's tasks run, or from `spawn_blocking`"
        );
        if is_on_a_worker() { block_in_place(f) } else { f() }
    }

    /// Tells the plug-in that the runtime has ended.
    pub(super) fn leave(&self) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_taken.store(true, Ordering::Relaxed);
        let guest = self.guest.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Outside of the guest's lock, within `telling`: the library stays until it has been told.
        if let Some(guest) = guest {
            guest.leave();
        }
    }

    /// Refuses all work of this plug-in, and forgets it: no code of its library is run from here
    /// any more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.give_back();
    }

    /// Gives the guest back, once no thread calls it.
    fn give_back(&self) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_taken.store(true, Ordering::Relaxed);
        let guest = self.guest.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(guest);
    }

    fn admit(&self) -> Result<Admitted, Status> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Status::SHUT_DOWN);
        }
        Admitted::to(&self.core).map_err(status_of)
    }

    /// The name of a thread that is started for it.
    fn thread_name(&self, kind: ThreadKind, number: usize) -> String {
        let name = &self.name[..self.name.floor_char_boundary(NAMED)];
        let kind = if kind == ThreadKind::COMPUTE { "" } else { "io-" };
        format!("{}-{name}-{kind}{number:02}", self.prefix)
    }
}

fn status_of(refusal: Refusal) -> Status {
    match refusal {
        Refusal::ShutDown => Status::SHUT_DOWN,
        Refusal::Forked => Status::FORKED,
        Refusal::NoPool => Status::NO_THREAD,
        Refusal::QueueFull(_) => Status::QUEUE_FULL,
    }
}

impl Host for Hosted {
    type Task = AbortHandle;

    fn facts(&self) -> Facts<'_> {
        Facts {
            io_threads: self.tokio.metrics().num_workers(),
            compute_threads: self.core.compute_threads,
            compute_queue: self.core.compute_queue,
            prefix: &self.prefix,
            name: &self.name,
        }
    }

    fn register(&self, guest: ForeignGuest) -> Status {
        if self.core.lifecycle.is_gone() {
            return Status::SHUT_DOWN;
        }
        if self.is_taken.swap(true, Ordering::Relaxed) {
            return Status::REFUSED;
        }
        *self.guest.lock().unwrap_or_else(PoisonError::into_inner) = Some(guest);
        if self.core.lifecycle.is_gone() {
            // The thread that ended the runtime may not have found this guest.
            self.leave();
        }
        Status::DONE
    }

    fn unregister(&self) {
        self.give_back();
    }

    fn spawn(&self, future: ForeignFuture) -> Result<AbortHandle, Status> {
        let admitted = self.admit()?;
        let task = Task::new(future, &self.counts);
        let task = task::spawn(admitted, &self.tokio, task).abort_handle();
        self.starting.note(&task);
        Ok(task)
    }

    fn abort(task: &AbortHandle) {
        task.abort();
    }

    fn block_on(&self, future: ForeignFuture) -> Status {
        match self.here() {
            Place::ELSEWHERE => {}
            Place::COMPUTE => return Status::ON_A_COMPUTE_THREAD,
            _ => return Status::ON_A_WORKER,
        }
        if os::is_forked() {
            return Status::FORKED;
        }
        let runtime = self.core.handle::<Inner>().map(LoomRuntime::from_inner);
        let Some(runtime) = runtime else { return Status::SHUT_DOWN };
        match runtime.block_on(future) {
            Ok(()) => Status::DONE,
            Err(_) => Status::PANICKED,
        }
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + 'static {
        let _entered = self.tokio.enter();
        tokio::time::sleep(time)
    }

    fn yield_now(&self) -> impl Future<Output = ()> + Send + 'static {
        tokio::task::yield_now()
    }

    fn block_in_place(&self, call: ForeignCall<'_>) -> Status {
        let mut call = Some(call);
        let mut status = Status::REFUSED;
        if is_on_a_worker() {
            // Tokio refuses where a worker drives another runtime, before it calls.
            ignore_panic(|| {
                block_in_place(|| {
                    status = call.take().map_or(Status::REFUSED, ForeignCall::run);
                });
            });
        }
        call.map_or(status, ForeignCall::run)
    }

    fn compute(&self, job: ForeignJob, priority: u32) -> Status {
        let priority = match priority {
            0 => Priority::Low,
            1 => Priority::Normal,
            _ => Priority::High,
        };
        if self.is_closed.load(Ordering::Relaxed) {
            return Status::SHUT_DOWN;
        }
        let counts = Arc::clone(&self.counts);
        // From now on, and also where it is refused or never runs.
        let call = Counted::new(&counts, |counts| &counts.compute_calls);
        let work = move || {
            let _call = call;
            if job.run() == Status::PANICKED {
                counts.panicked.fetch_add(1, Ordering::Relaxed);
            }
            counts.computed.fetch_add(1, Ordering::Relaxed);
        };
        let how = CallOptions { priority, ..CallOptions::default() };
        match try_offload(&self.core, how, work) {
            Ok(call) => {
                ComputeFuture::or_panic(Ok(call)).detach();
                Status::DONE
            }
            Err(refusal) => status_of(refusal),
        }
    }

    fn join(&self, a: ForeignCall<'_>, b: ForeignCall<'_>) -> Status {
        let both = |(a, b): (Status, Status)| if a == Status::DONE { b } else { a };
        if os::is_forked() {
            return Status::FORKED;
        }
        if threads::computes() {
            // Compute threads of this runtime may wait for those of its plug-ins, so these must
            // not wait for them.
            return both((a.run(), b.run()));
        }
        let Some(pool) = self.core.pool() else { return Status::SHUT_DOWN };
        both(self.core.install(&pool, || rayon::join(|| a.run(), || b.run())))
    }

    fn start_thread(&self, kind: ThreadKind, number: usize, body: ForeignJob) -> Status {
        if self.is_closed() || self.core.lifecycle.is_gone() {
            return Status::SHUT_DOWN;
        }
        let name = self.thread_name(kind, number);
        self.threads.start(&self.core, &self.counts, name, (kind, number), body)
    }

    fn place_thread(&self) {
        place_blocking_thread(&self.core);
    }

    fn here(&self) -> Place {
        if threads::computes() || rayon::current_thread_index().is_some() {
            Place::COMPUTE
        } else if local_core::is_here()
            || context::may_block() == MayBlock::No && !context::runs_blocking_work()
        {
            Place::WORKER
        } else {
            Place::ELSEWHERE
        }
    }

    fn begin(&self, work: Work) -> Status {
        if work == Work::COMPUTE {
            // Beside a task, which is what was admitted.
            keeper::begin_call(&self.core);
            self.counts.compute_calls.fetch_add(1, Ordering::Relaxed);
            return Status::DONE;
        }
        if os::is_forked() {
            return Status::FORKED;
        }
        // Counted out in `end`.
        if self.is_closed.load(Ordering::Relaxed) || !self.core.lifecycle.admit() {
            return Status::SHUT_DOWN;
        }
        self.counts.tasks.fetch_add(1, Ordering::Relaxed);
        Status::DONE
    }

    fn end(&self, work: Work, how: Status) {
        if how == Status::PANICKED {
            self.counts.panicked.fetch_add(1, Ordering::Relaxed);
        }
        if work == Work::COMPUTE {
            self.core.end_call(how == Status::PANICKED);
            self.counts.compute_calls.fetch_sub(1, Ordering::Relaxed);
            self.counts.computed.fetch_add(1, Ordering::Relaxed);
        } else {
            self.counts.tasks.fetch_sub(1, Ordering::Relaxed);
            self.core.lifecycle.end_one();
        }
    }

    fn pressure(&self) -> Pressure {
        let conditions = self.core.conditions(self.core.now());
        let pressure_level = self.core.pressure_level();
        Pressure { ready: conditions.pressure, arrivals: conditions.arrivals, pressure_level }
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.core.extension::<Plugins>().forget();
    }
}

impl std::fmt::Debug for Hosted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosted").field("name", &self.name).finish_non_exhaustive()
    }
}
