//! What goes with a compute call: who counts it, and who is told how long it waited.

use std::cell::Cell;
use std::time::Instant;

use crate::bridge::{self, End, Priority};
use crate::core::{Admitted, Core, Function, Holding};
use crate::scheduler::Arm;
use crate::sync::Arc;

use super::baggage::Carrying;
use super::spans::{self, Along};

/// One in so many calls that are nobody's tell what the bridge costs.
const SAMPLED: u32 = 16;

/// How a call goes to the pool.
#[derive(Default)]
pub(crate) struct How {
    /// Whose run time it tells.
    pub(crate) function: Option<Arc<Function>>,
    pub(crate) priority: Priority,
    /// Task-locals that go along.
    pub(crate) carrying: Carrying,
}

/// Goes with a call and counts it.
pub(crate) struct Ticket {
    admitted: Admitted,
    function: Option<Arc<Function>>,
    holding: Holding,
}

impl Ticket {
    pub(crate) fn new(admitted: Admitted, function: Option<Arc<Function>>) -> Self {
        let holding = admitted.core().hold_time();
        Self { admitted, function, holding }
    }
}

impl bridge::Ticket for Ticket {
    type After = Holding;

    fn may_start(&self) -> bool {
        !self.admitted.core().lifecycle.is_gone()
    }

    fn withdraw(&self) {
        self.admitted.core().line.cancel();
    }

    fn end(self, end: End, unwanted: bool) -> Holding {
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
            End::Refused => {
                function.inspect(|function| function.refused.add_one());
            }
            // One outcome each: what panicked or was refused did, whoever was still there.
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
        self.holding
    }
}

/// Goes with a call that tells how long it waited for a thread.
pub(super) struct Queued {
    core: Arc<Core>,
    function: Option<Arc<Function>>,
    priority: Priority,
    submitted: Instant,
    /// How many waited already.
    ahead: usize,
}

impl Queued {
    /// For a call that is submitted now, if it is one to be timed.
    pub(super) fn of(core: &Arc<Core>, how: &How) -> Option<Self> {
        let is_timed = how.function.is_some()
            || is_turn()
            || core.backlog.wants(how.priority)
            || spans::is_on();
        is_timed.then(|| Self {
            core: Arc::clone(core),
            function: how.function.clone(),
            priority: how.priority,
            submitted: Instant::now(),
            ahead: core.line.waiting(),
        })
    }

    /// A thread begins with it, now.
    pub(super) fn starts(&self, along: &Along) -> Instant {
        let started = Instant::now();
        let waited = started.saturating_duration_since(self.submitted);
        along.waited(waited);
        self.core.backlog.observe(self.priority, waited, self.ahead, self.core.now());
        self.core.counters.queue_waits.record(waited);
        if let Some(function) = &self.function {
            function.counters.queue_waits.record(waited);
        }
        started
    }

    /// Takes in how long the call took that started then, when it is dropped, however the call
    /// ends.
    pub(super) fn measured(self, started: Instant) -> Measured {
        Measured { queued: self, started }
    }

    pub(super) fn submitted(&self) -> Instant {
        self.submitted
    }
}

/// A call that runs.
pub(super) struct Measured {
    queued: Queued,
    started: Instant,
}

impl Drop for Measured {
    fn drop(&mut self) {
        let Queued { core, function, .. } = &self.queued;
        if let Some(function) = function {
            core.ran(function, Arm::OffloadRayon, self.started.elapsed());
        }
    }
}

/// Whether this call of this thread is one to be timed.
fn is_turn() -> bool {
    thread_local! {
        static TURN: Cell<u32> = const { Cell::new(0) };
    }
    TURN.set(TURN.get().wrapping_add(1));
    TURN.get().is_multiple_of(SAMPLED)
}
