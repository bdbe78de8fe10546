//! What a plug-in asks of its host, carried out on the runtime.

use std::time::Duration;

use loom_abi::{Place, Pressure, Status, Table, ThreadKind, Work};
use tokio::task::{AbortHandle, block_in_place};

use crate::boundary::{self, Facts, ForeignCall, ForeignFuture, ForeignGuest, ForeignJob, Host};
use crate::bridge::Priority;
use crate::call::{CallOptions, ComputeFuture, is_on_a_worker, try_offload};
use crate::core::context::{self, MayBlock};
use crate::core::{Admitted, Refusal, Spot, compute_thread, local_core};
use crate::panics::ignore_panic;
use crate::runtime::{Inner, LoomRuntime};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::threads::{begin_call, install, place_blocking_thread, task};
use crate::topology::os;

use super::counts::{Counted, Task};
use super::hosted::{Hosted, Registration};
use super::threads;

impl Hosted {
    fn admit(&self) -> Result<Admitted, Status> {
        if self.is_closed() {
            return Err(Status::SHUT_DOWN);
        }
        Admitted::to(&self.core).map_err(status_of)
    }
}

fn status_of(refusal: Refusal) -> Status {
    match refusal {
        Refusal::ShutDown => Status::SHUT_DOWN,
        Refusal::Forked => Status::FORKED,
        Refusal::NoPool => Status::NO_THREAD,
        Refusal::QueueFull(_) | Refusal::AtLimit(_) => Status::QUEUE_FULL,
    }
}

impl Host for Hosted {
    type Task = AbortHandle;

    fn table() -> &'static Table {
        static TABLE: Table = boundary::table::<Hosted>();
        &TABLE
    }

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
        if self.has_ended() {
            return Status::SHUT_DOWN;
        }
        let mut registration = self.registration();
        // A guest that is refused is dropped without the lock, since that runs code of its library.
        if !matches!(*registration, Registration::Open) {
            drop(registration);
            return if self.has_ended() { Status::SHUT_DOWN } else { Status::REFUSED };
        }
        *registration = Registration::Of(guest);
        drop(registration);
        if self.core.lifecycle.is_gone() {
            // The thread that ended the runtime may not have found this guest.
            self.leave();
        }
        Status::DONE
    }

    fn unregister(&self) {
        self.end_registration(drop);
    }

    fn spawn(&self, future: ForeignFuture) -> Result<AbortHandle, Status> {
        let admitted = self.admit()?;
        let task = Task::new(future, &self.counts);
        let place = Spot::named("a task of a plug-in");
        let task = task::spawn(admitted, place, &self.tokio, task).abort_handle();
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
        if self.has_ended() {
            return Status::SHUT_DOWN;
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
        if self.is_closed() {
            return Status::SHUT_DOWN;
        }
        let counts = Arc::clone(&self.counts);
        // Counted from now on, also where the call is refused or never runs.
        let counted = [
            Counted::new(&counts, |counts| &counts.tasks),
            Counted::new(&counts, |counts| &counts.compute_calls),
        ];
        let work = move || {
            let _counted = counted;
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
        if self.has_ended() {
            return Status::SHUT_DOWN;
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
        if self.has_ended() {
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
            Work::COMPUTE if self.has_ended() => return Status::SHUT_DOWN,
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
        // The plug-in may have been closed meanwhile, and what it had begun counted out. What this
        // does not see is counted out when the handle goes.
        if self.is_closed() && self.begun.end(work) {
            self.count_out(work, Status::DONE);
            return Status::SHUT_DOWN;
        }
        Status::DONE
    }

    fn end(&self, work: Work, how: Status) -> Status {
        // First, so that what is counted out below is this plug-in's own.
        if !self.begun.end(work) {
            return self.refuse_end();
        }
        if work == Work::COMPUTE {
            self.counts.computed.fetch_add(1, Ordering::Relaxed);
        }
        if how == Status::PANICKED {
            self.counts.panicked.fetch_add(1, Ordering::Relaxed);
        }
        self.count_out(work, how);
        Status::DONE
    }

    fn pressure(&self) -> Pressure {
        let conditions = self.core.conditions(self.core.now());
        let pressure_level = self.core.pressure_level();
        Pressure {
            ready: conditions.pressure,
            arrivals: conditions.arrivals,
            pressure_level,
            reserved: 0,
        }
    }
}
