//! The host's side of one plug-in: carries out its requests on the runtime.

use std::time::Duration;

use loom_abi::{Place, Pressure, Status, ThreadKind, Work};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{AbortHandle, block_in_place};

use crate::boundary::{Facts, ForeignCall, ForeignFuture, ForeignGuest, ForeignJob, Host};
use crate::bridge::Priority;
use crate::call::{CallOptions, ComputeFuture, is_on_a_worker, try_offload};
use crate::core::context::{self, MayBlock};
use crate::core::{Admitted, Core, Refusal, compute_thread, local_core};
use crate::panics::ignore_panic;
use crate::runtime::{Inner, LoomRuntime};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, PoisonError};
use crate::threads::{begin_call, install, place_blocking_thread, task, warn_once};
use crate::topology::os;

use super::counts::{Begun, Counted, Counts, Starting, Task};
use super::plugins::Plugins;
use super::stats::PluginStats;
use super::threads::{self, Threads};

/// How much of a plug-in's name goes into the names of its threads, which the system cuts off after
/// 15 bytes.
const NAME_LENGTH: usize = 8;

/// The handle of one plug-in, and the state of that plug-in on this side.
pub(crate) struct Hosted {
    core: Arc<Core>,
    tokio: Handle,
    prefix: String,
    name: String,
    /// `None` before the plug-in registers, and after it was notified of the end.
    guest: Mutex<Option<ForeignGuest>>,
    /// Whether the plug-in has registered, or must not register any more.
    is_taken: AtomicBool,
    /// Whether all work of this plug-in is refused, regardless of the runtime's state.
    is_closed: AtomicBool,
    /// The tasks that the plug-in spawns while it starts.
    pub(super) starting: Starting,
    /// Held while the plug-in is notified, which runs code of its library.
    notifying: Mutex<()>,
    pub(super) threads: Threads,
    pub(crate) counts: Arc<Counts>,
    begun: Begun,
}

impl Hosted {
    pub(crate) fn new(runtime: &LoomRuntime, name: &str) -> Arc<Self> {
        let core = Arc::clone(runtime.core());
        let hosted = Arc::new(Self {
            tokio: runtime.tokio_handle().clone(),
            prefix: runtime.config().prefix.clone(),
            // A thread name cannot contain NUL.
            name: name.replace('\0', "?"),
            guest: Mutex::new(None),
            is_taken: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            notifying: Mutex::new(()),
            starting: Starting::default(),
            threads: Threads::default(),
            counts: Arc::default(),
            begun: Begun::default(),
            core,
        });
        hosted.core.extension::<Plugins>().add(&hosted);
        hosted
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The plug-in's statistics.
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

    /// Whether the plug-in was unloaded; threads may still hold this handle.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Calls `f`, which waits for a library's work on another thread. A worker moves its other
    /// tasks to another thread first.
    ///
    /// # Panics
    ///
    /// On threads that must not wait and cannot move their tasks.
    #[track_caller]
    pub(super) fn wait<R>(&self, what: &str, f: impl FnOnce() -> R) -> R {
        let is_current_thread = self.tokio.runtime_flavor() == RuntimeFlavor::CurrentThread;
        let place = self.here();
        let refused = place == Place::COMPUTE
            || local_core::is_here()
            || place == Place::WORKER && is_current_thread && !is_on_a_worker();
        assert!(
            !refused,
            "{what} a plug-in waits for the library, and this thread must not wait: do it before \
             the runtime's tasks run, or from `spawn_blocking`"
        );
        if is_on_a_worker() { block_in_place(f) } else { f() }
    }

    /// Notifies the plug-in that the runtime has ended.
    pub(super) fn leave(&self) {
        let _notifying = self.notifying.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_taken.store(true, Ordering::Relaxed);
        let guest = self.guest.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Without the guest's lock, but with `notifying`: the library stays mapped until this
        // returns.
        if let Some(guest) = guest {
            guest.leave();
        }
    }

    /// Refuses all work of this plug-in, and releases it: the host runs no code of its library
    /// from then on.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.give_back();
    }

    /// Drops the guest, once no thread is notifying it.
    fn give_back(&self) {
        let _notifying = self.notifying.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// The plug-in ends what it has not begun: says so once.
    fn refuse_end(&self) -> Status {
        warn_once(
            &self.begun.is_told,
            &format!(
                "plug-in `{}` ends work that it has not begun, which is not counted: it calls \
                 `end` of loom-abi twice for one `begin`, or for work of another kind",
                self.name
            ),
        );
        Status::REFUSED
    }

    /// The name of a thread that is started for the plug-in.
    fn thread_name(&self, kind: ThreadKind, number: usize) -> String {
        let name = &self.name[..self.name.floor_char_boundary(NAME_LENGTH)];
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
            // Where the worker drives another runtime, tokio panics before it calls the closure.
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
        // Counted from now on, also where the call is refused or never runs.
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
            // Compute threads of this runtime may wait for compute threads of its plug-ins, so the
            // latter must not wait for the former.
            return both((a.run(), b.run()));
        }
        let Some(pools) = self.core.pools() else { return Status::SHUT_DOWN };
        both(install(&self.core, &pools, || rayon::join(|| a.run(), || b.run())))
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
        if threads::computes() || compute_thread::is_here() {
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
        match work {
            // No admission: the task that was admitted for this call is counted already.
            Work::COMPUTE => {
                begin_call(&self.core);
                self.counts.compute_calls.fetch_add(1, Ordering::Relaxed);
            }
            Work::TASK if os::is_forked() => return Status::FORKED,
            // `end` counts it out again.
            Work::TASK => {
                if self.is_closed() || !self.core.lifecycle.admit() {
                    return Status::SHUT_DOWN;
                }
                self.counts.tasks.fetch_add(1, Ordering::Relaxed);
            }
            _ => return Status::REFUSED,
        }
        self.begun.begin(work);
        Status::DONE
    }

    fn end(&self, work: Work, how: Status) -> Status {
        // First, so that what is counted out below is this plug-in's own.
        if !self.begun.end(work) {
            return self.refuse_end();
        }
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
        Status::DONE
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
