//! The scheduler without a runtime, a clock or a thread, for simulations.

use super::decide::{Caller, Conditions, order};
use super::thread_stats::Moment;
use super::{
    Arm, ComputeHint, MabKnobs, Overhead, Reason, Record, Run, ThreadStats, Used, duration,
};

/// The step of the simulated cheap clock, in nanoseconds.
const TICK: u64 = 4_000_000;

/// One function of a simulated runtime.
#[derive(Debug)]
pub struct SimulatedFunction {
    knobs: MabKnobs,
    record: Record,
    overhead: Overhead,
    stats_of_callers: Vec<ThreadStats>,
}

/// The conditions of a simulated call. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// How many I/O workers there are.
    pub workers: usize,
    /// Tasks that are ready behind the caller.
    pub pressure: f64,
    /// Tasks that become ready on the caller's worker, per nanosecond.
    pub arrivals: f64,
    /// How long an offloaded call would wait for a compute thread.
    pub queue: f64,
    /// The simulated time.
    pub now: u64,
}

impl Surroundings {
    /// One worker, and nothing else to do.
    pub const CALM: Self = Self { workers: 1, pressure: 0.0, arrivals: 0.0, queue: 0.0, now: 0 };
}

impl SimulatedFunction {
    /// A function that `callers` threads call.
    #[must_use]
    pub fn new(knobs: MabKnobs, callers: usize, seed: u64) -> Self {
        let stats_of_callers =
            (1..=callers as u64).map(|caller| ThreadStats::new(seed ^ caller << 32)).collect();
        let (record, overhead) = (Record::default(), Overhead::default());
        Self { knobs, record, overhead, stats_of_callers }
    }

    /// Where a call runs, and why if it is a measured call; a settled call needs no timing.
    pub fn decide(
        &self,
        caller: usize,
        hint: ComputeHint,
        surroundings: &Surroundings,
    ) -> (Arm, Option<Reason>) {
        let stats = &self.stats_of_callers[caller];
        let pressure_level = self.knobs.pressure_level(surroundings.pressure);
        let at = Moment { pressure_level, now: surroundings.now, tick: surroundings.now / TICK };
        if stats.is_settled(&self.record, pressure_level, || at.tick) {
            return (Arm::InlineTokio, None);
        }
        let conditions = self.conditions(surroundings);
        let decision = stats.decide(&self.record, &self.knobs, &conditions, hint, at);
        (decision.arm, Some(decision.reason))
    }

    /// Records how long a measured call took. Its thread had a CPU all the time.
    pub fn ran(&self, arm: Arm, nanos: f64, now: u64) {
        self.ran_with(arm, nanos, nanos, 0, now);
    }

    /// Records how long a measured call took, the CPU time that it had, and how often its thread gave
    /// its CPU up. The last two count only where the scheduler looks at the call.
    pub fn ran_with(&self, arm: Arm, nanos: f64, cpu: f64, waits: u64, now: u64) {
        let expected = self.record.summaries()[usize::from(arm == Arm::OffloadRayon)].mean;
        let is_looked_at = self.record.wants_look(arm, expected);
        let used = if is_looked_at { Used::Cpu(duration(cpu), waits) } else { Used::Unknown };
        self.record.observe(&self.knobs, arm, Run { took: duration(nanos), used }, now);
    }

    /// Records the overhead of an offloaded call.
    pub fn went(&self, nanos: f64, now: u64) {
        self.overhead.record(nanos, now);
    }

    /// The guardrail that would keep a call away from the I/O workers.
    #[must_use]
    pub fn guardrail(&self, hint: ComputeHint, surroundings: &Surroundings) -> Option<Reason> {
        let known = self.record.known(&self.knobs, hint, surroundings.now);
        let ordered = order(&self.knobs, &self.conditions(surroundings), &known);
        ordered.map(|(_, reason)| reason).filter(|reason| reason.is_guardrail())
    }

    fn conditions(&self, surroundings: &Surroundings) -> Conditions {
        let Surroundings { workers, pressure, arrivals, queue, now } = *surroundings;
        Conditions {
            caller: Caller::Io(workers),
            forced: None,
            is_overridden: false,
            is_observed: false,
            is_refused: false,
            is_limited: false,
            overhead: self.overhead.belief(self.knobs.offload_overhead_us() * 1e3),
            overhead_age: self.overhead.age(now),
            queue,
            pressure: pressure.min(self.knobs.pressure_clip),
            arrivals,
        }
    }
}
