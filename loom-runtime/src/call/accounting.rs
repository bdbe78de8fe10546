//! What goes with a compute call: its options, its observer, and the timers of its wait and run.
//!
//! Owns no counter: the core and the function have them.

use std::any::TypeId;
use std::cell::Cell;
use std::time::Instant;

use crate::bridge::{self, End, Priority};
use crate::core::{Admitted, Core, Function, PauseGuard, Permit, Stopwatch};
use crate::scheduler::Arm;
use crate::sync::Arc;

use super::baggage::CarriedKeys;
use super::due::Due;
use super::spans::{self, CallSpan};

/// One in so many calls that belong to no function is timed, to learn what the bridge costs.
const SAMPLED: u32 = 16;

/// How a call goes to the pool.
#[derive(Default)]
pub(crate) struct CallOptions {
    /// The function whose run time the call reports, if any.
    pub(crate) function: Option<Arc<Function>>,
    pub(crate) priority: Priority,
    /// Task-locals that the call carries.
    pub(crate) carrying: CarriedKeys,
    /// Whether the call is timed although it belongs to no function.
    pub(crate) is_timed: bool,
    /// The call's part of its function's limit.
    pub(crate) permit: Option<Permit>,
}

/// Observes a call, and counts it and its end.
pub(crate) struct CallObserver {
    admitted: Admitted,
    function: Option<Arc<Function>>,
    pause: PauseGuard,
    /// Where the call has any. In a box, since a slot has room for the results of most calls.
    conditions: Option<Box<Conditions>>,
}

/// On what conditions a call runs.
pub(super) struct Conditions {
    /// The permit of a function with a limit. It goes back when the work has ended.
    pub(super) permit: Option<Permit>,
    pub(super) due: Option<Due>,
}

impl CallObserver {
    pub(crate) fn new(admitted: Admitted, function: Option<Arc<Function>>) -> Self {
        let pause = admitted.core().pause_time();
        Self { admitted, function, pause, conditions: None }
    }

    /// A call of a function that may have a limit, with or without a deadline.
    pub(super) fn with(self, conditions: Conditions) -> Self {
        let has_any = conditions.permit.is_some() || conditions.due.is_some();
        Self { conditions: has_any.then(|| Box::new(conditions)), ..self }
    }

    fn due(&self) -> Option<&Due> {
        self.conditions.as_ref()?.due.as_ref()
    }
}

impl bridge::Observer for CallObserver {
    type After = PauseGuard;

    fn may_start(&self) -> bool {
        let core = self.admitted.core();
        let others_wait = || core.queue.waiting() > 0;
        !core.lifecycle.is_gone() && self.due().is_none_or(|due| due.may_begin(others_wait()))
    }

    fn withdraw(&self) {
        self.admitted.core().queue.cancel();
    }

    fn end(self, end: End, unwanted: bool) -> PauseGuard {
        let core = self.admitted.core();
        core.end_call(end == End::Panicked);
        let function = self.function.as_deref().map(|function| &function.counters);
        if matches!(end, End::Returned | End::Panicked) {
            core.counters.run.add_one();
        }
        match end {
            End::Panicked => {
                core.counters.compute_panics.add_one();
                function.inspect(|function| function.panicked.add_one());
            }
            End::Refused if self.due().is_some_and(Due::has_said_no) => {
                function.inspect(|function| function.expired.add_one());
            }
            End::Refused => {
                function.inspect(|function| function.refused.add_one());
            }
            // Each call has one outcome: a panic or a refusal counts as such even where the call
            // was no longer wanted.
            End::Returned | End::Cancelled if unwanted => {
                function.inspect(|function| function.abandoned.add_one());
            }
            End::Returned | End::Cancelled => {
                function.inspect(|function| function.returned.add_one());
            }
        }
        if unwanted {
            core.counters.abandoned.add_one();
        }
        self.pause
    }
}

/// Goes with a timed call, and records how long the call waited for a thread.
pub(super) struct QueueTimer {
    core: Arc<Core>,
    function: Option<Arc<Function>>,
    priority: Priority,
    submitted: Instant,
    /// How many calls waited already.
    ahead: usize,
}

impl QueueTimer {
    /// A timer for a call that is submitted now, if the call is to be timed.
    pub(super) fn of(core: &Arc<Core>, options: &CallOptions) -> Option<Self> {
        let is_timed = options.is_timed
            || options.function.is_some()
            || is_sampled()
            || core.backlog.wants_sample(options.priority)
            || spans::is_on();
        is_timed.then(|| Self {
            core: Arc::clone(core),
            function: options.function.clone(),
            priority: options.priority,
            submitted: Instant::now(),
            ahead: core.queue.waiting(),
        })
    }

    /// Records the wait of a call that a thread starts now, and returns the time.
    pub(super) fn starts(&self, span: &CallSpan) -> Instant {
        let started = Instant::now();
        let waited = started.saturating_duration_since(self.submitted);
        span.waited(waited);
        self.core.backlog.observe(self.priority, waited, self.ahead, self.core.now());
        self.core.counters.queue_waits.record(waited);
        if let Some(function) = &self.function {
            function.counters.queue_waits.record(waited);
        }
        started
    }

    /// A timer that records the run time since `started` of a closure of this type, when it is
    /// dropped, however the call ends.
    pub(super) fn measured(self, started: Instant, closure: TypeId) -> RunTimer {
        let is_looked_at = self.function.as_ref().is_some_and(|it| it.wants_look_on_pool());
        RunTimer { queued: self, watch: Stopwatch::since(started, is_looked_at), closure }
    }

    pub(super) fn submitted(&self) -> Instant {
        self.submitted
    }
}

/// Records the run time of a call when it is dropped.
pub(super) struct RunTimer {
    queued: QueueTimer,
    watch: Stopwatch,
    closure: TypeId,
}

impl Drop for RunTimer {
    fn drop(&mut self) {
        let QueueTimer { core, function, .. } = &self.queued;
        let run = self.watch.stop();
        match function {
            Some(function) => core.ran(function, Arm::OffloadRayon, run),
            None => core.closures.of_calls(self.closure).record(run.took),
        }
    }
}

/// Whether this call is the one in [`SAMPLED`] calls of this thread that is timed.
fn is_sampled() -> bool {
    thread_local! {
        static TURN: Cell<u32> = const { Cell::new(0) };
    }
    TURN.set(TURN.get().wrapping_add(1));
    TURN.get().is_multiple_of(SAMPLED)
}
