//! A verdict, in words and as data.

use std::fmt;
use std::time::Duration;

use super::decide::{Basis, Caller, Conditions, Costs, Known};
use super::looks::Waits;
use super::times::{Summary, duration};
use super::{Arm, MabKnobs, Reason, Wake};

/// The last verdict that was drawn for a function, and what it was based on.
///
/// Its numbers are those of that moment, but for [`samples`](Self::samples) and [`waits`](Self::waits).
///
/// ```
/// #[loom::compute(hint = "low")]
/// fn double(n: u32) -> u32 {
///     n * 2
/// }
///
/// #[loom::main]
/// async fn main() {
///     double(21).await;
///     let seen = loom::functions();
///     let verdict = seen[0].verdict.as_ref().expect("it was called");
///     assert_eq!(verdict.arm, loom::Arm::InlineTokio);
///     // "inline (cheaper): 5.00µs inline, 15.00µs offloaded; overhead 10.00µs, …"
///     println!("{verdict}");
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The arm that the verdict chose.
    pub arm: Arm,
    /// Why it chose that arm.
    pub reason: Reason,
    /// Which wake the polls follow that it is about, if the function awaits. Its numbers are then of polls
    /// and not of calls.
    pub after: Option<Wake>,
    /// The expected cost of an inline call: its own time, and the delay of the tasks behind it.
    pub inline_cost: Duration,
    /// The expected cost of an offloaded call: its time on the compute pool, the overhead, and the
    /// queue.
    pub offload_cost: Duration,
    /// How long a call was expected to take inline; zero if nothing was known.
    pub run_time: Duration,
    /// How long a call was expected to take on the compute pool.
    pub pool_time: Duration,
    /// The expected cost of the way to the pool and back.
    pub overhead: Duration,
    /// How long a call was expected to wait for a compute thread.
    pub queue: Duration,
    /// Tasks that were assumed to be ready behind the caller.
    pub pressure: f64,
    /// The workers of the tokio runtime that made the call; `None` on a local core, and outside of any
    /// tokio runtime.
    pub workers: Option<usize>,
    /// The run time from which on the guardrail forbids inline calls; zero if no guardrail decided.
    pub limit: Duration,
    /// The share of the calls that take that long or longer, 0 to 1; zero if no guardrail decided.
    pub tail: f64,
    /// Strikes, as far as they were remembered.
    pub strikes: f64,
    /// How many measurements are remembered now, inline and on the pool; a measurement counts less
    /// with each later one.
    pub samples: [f64; 2],
    /// How often the thread of a call gave up its CPU to wait.
    pub waits: Waits,
    /// How long ago the verdict was drawn.
    pub age: Duration,
    pub(super) basis: Basis,
    /// The share of a hint and a profile in the run time, 0 to 1.
    pub(super) assumed: f64,
    pub(super) caller: Caller,
    /// Whether its calls run inline all the same, since the function only observes.
    pub(super) is_observed: bool,
    /// Whether the overhead was measured.
    pub(super) is_overhead_measured: bool,
    /// Whether any call that reached the limit of GR1 ran inline.
    pub(super) has_inline_tail: bool,
    /// The knob that pressure or strikes are above, where a guardrail decided.
    pub(super) bound: f64,
    /// In how many milliseconds strikes fade by half.
    pub(super) half_life: f64,
}

/// A verdict as it was drawn. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    arm: Arm,
    reason: Reason,
    now: u64,
    costs: Costs,
    conditions: Conditions,
    known: Known,
    limit: f64,
    tail: f64,
    bound: f64,
    half_life: f64,
}

impl Kept {
    pub(super) fn new(
        (arm, reason): (Arm, Reason),
        knobs: &MabKnobs,
        conditions: &Conditions,
        known: &Known,
        costs: Costs,
        now: u64,
    ) -> Self {
        let [tiny, hard, under_pressure] = known.tails;
        let (limit_us, tail, bound) = match reason {
            Reason::LoneWorker => (knobs.t_tiny_inline_us, tiny, knobs.p_low),
            Reason::HardCap => (knobs.t_block_hard_us, hard, 0.0),
            Reason::Pressure => (knobs.t_inline_under_pressure_us, under_pressure, knobs.p_high),
            Reason::Strikes => (knobs.t_strike_us, 0.0, knobs.s_max),
            _ => (0.0, 0.0, 0.0),
        };
        let half_life = 0.5_f64.ln() / knobs.strike_decay.ln();
        let (conditions, known) = (*conditions, *known);
        let limit = limit_us * 1e3;
        Self { arm, reason, now, costs, conditions, known, limit, tail, bound, half_life }
    }
}

impl Verdict {
    /// As a verdict on what follows this.
    pub(crate) fn after(self, after: Option<Wake>) -> Self {
        Self { after, ..self }
    }

    pub(super) fn of(kept: &Kept, summaries: [Summary; 2], waits: Waits, now: u64) -> Self {
        let Kept { arm, reason, costs, conditions, known, limit, tail, bound, half_life, .. } =
            *kept;
        let workers = match conditions.caller {
            Caller::Io(workers) => Some(workers),
            _ => None,
        };
        Self {
            arm,
            reason,
            after: None,
            inline_cost: duration(costs.inline),
            offload_cost: duration(costs.offload),
            run_time: duration(known.run_time.unwrap_or_default().mean),
            pool_time: duration(costs.offload - conditions.overhead.mean - conditions.queue),
            overhead: duration(conditions.overhead.mean),
            queue: duration(conditions.queue),
            pressure: conditions.pressure,
            workers,
            limit: duration(limit),
            tail,
            strikes: known.strikes,
            samples: summaries.map(|summary| summary.weight),
            waits,
            age: Duration::from_nanos(now.saturating_sub(kept.now)),
            basis: known.basis,
            assumed: known.assumed,
            caller: conditions.caller,
            is_observed: conditions.is_observed,
            is_overhead_measured: conditions.overhead_age.is_some(),
            has_inline_tail: known.has_inline_tail,
            bound,
            half_life,
        }
    }
}

/// Formats the verdict as one line.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arm, reason, inline_cost, offload_cost, overhead, queue, .. } = self;
        let Self { pressure, samples: [inline, offloaded], age, .. } = self;
        let age = Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        write!(
            f,
            "{arm} ({reason}): {inline_cost:.2?} inline, {offload_cost:.2?} offloaded; overhead \
             {overhead:.2?}, queue {queue:.2?}, pressure {pressure:.2}; {inline:.0} + {offloaded:.0} \
             samples, drawn {age:.0?} ago"
        )
    }
}
