//! The scheduler without a runtime, a clock or a thread: for simulations of it.

use super::decide::{Around, Caller, order};
use super::share::At;
use super::{Arm, ComputeHint, MabKnobs, Overhead, Reason, Record, Share};

/// How long, in nanoseconds, a cheap clock stands still.
const TICK: u64 = 4_000_000;

/// One function of a runtime that is not there.
#[derive(Debug)]
pub struct SimulatedFunction {
    knobs: MabKnobs,
    record: Record,
    overhead: Overhead,
    shares: Vec<Share>,
}

/// What surrounds a call, as a simulation has it. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// How many I/O workers there are.
    pub workers: usize,
    /// Tasks that are ready behind the caller.
    pub pressure: f64,
    /// Tasks that become ready on the caller's worker, a nanosecond.
    pub arrivals: f64,
    /// The time.
    pub now: u64,
}

impl SimulatedFunction {
    /// A function that so many threads call.
    #[must_use]
    pub fn new(knobs: MabKnobs, callers: usize, seed: u64) -> Self {
        let shares = (1..=callers as u64).map(|caller| Share::new(seed ^ caller << 32)).collect();
        Self { knobs, record: Record::default(), overhead: Overhead::default(), shares }
    }

    /// Where a call runs, and why if it was looked at; one that was not needs no timing.
    pub fn decide(
        &self,
        caller: usize,
        hint: ComputeHint,
        surroundings: &Surroundings,
    ) -> (Arm, Option<Reason>) {
        let share = &self.shares[caller];
        let mood = self.knobs.mood(surroundings.pressure);
        let at = At { mood, now: surroundings.now, tick: surroundings.now / TICK };
        if share.is_settled(&self.record, mood, at.tick) {
            return (Arm::InlineTokio, None);
        }
        let around = self.around(surroundings);
        let decision = share.look(&self.record, &self.knobs, &around, hint, at);
        (decision.arm, Some(decision.reason))
    }

    /// Takes in how long a call took that was looked at.
    pub fn ran(&self, arm: Arm, nanos: f64, now: u64) {
        self.record.observe(&self.knobs, arm, nanos, now);
    }

    /// Takes in what the way to the pool and back cost a call.
    pub fn went(&self, nanos: f64, now: u64) {
        self.overhead.record(nanos, now);
    }

    /// The guardrail that would keep a call away from the I/O workers.
    #[must_use]
    pub fn guardrail(&self, hint: ComputeHint, surroundings: &Surroundings) -> Option<Reason> {
        let known = self.record.known(&self.knobs, hint, surroundings.now);
        let ordered = order(&self.knobs, &self.around(surroundings), &known);
        ordered.map(|(_, reason)| reason).filter(|reason| reason.is_guardrail())
    }

    fn around(&self, surroundings: &Surroundings) -> Around {
        let Surroundings { workers, pressure, arrivals, now } = *surroundings;
        Around {
            caller: if workers == 1 { Caller::LoneIoWorker } else { Caller::IoWorker },
            told: None,
            overhead: self.overhead.belief(self.knobs.offload_overhead_us() * 1e3),
            overhead_age: self.overhead.age(now),
            pressure: pressure.min(self.knobs.pressure_clip),
            arrivals,
        }
    }
}
