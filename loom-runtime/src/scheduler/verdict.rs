//! A verdict, in words and as data.

use std::fmt;
use std::time::Duration;

use super::decide::Costs;
use super::times::Summary;
use super::{Arm, MabKnobs, Reason};

/// The last verdict that was drawn for a function, and what it was based on.
///
/// If several threads draw at once, its parts may belong to different verdicts.
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
    /// The expected cost of an inline call: its own time, and the delay of the tasks behind it.
    pub inline_cost: Duration,
    /// The expected cost of an offloaded call: its time on the compute pool, and the overhead.
    pub offload_cost: Duration,
    /// The expected cost of the way to the pool and back.
    pub overhead: Duration,
    /// Tasks that were assumed to be ready behind the caller.
    pub pressure: f64,
    /// How many measurements are remembered now, inline and on the pool; a measurement counts less
    /// with each later one.
    pub samples: [f64; 2],
    /// How long ago the verdict was drawn.
    pub age: Duration,
}

/// The part of a verdict that a record keeps. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) arm: Arm,
    pub(super) reason: Reason,
    pub(super) millisecond: u64,
    pub(super) costs: Costs,
    pub(super) pressure: f64,
    pub(super) overhead: f64,
}

impl Verdict {
    pub(super) fn of(kept: Kept, summaries: [Summary; 2], now: u64) -> Self {
        let Kept { arm, reason, millisecond, costs, pressure, overhead } = kept;
        Self {
            arm,
            reason,
            inline_cost: duration(costs.inline),
            offload_cost: duration(costs.offload),
            overhead: duration(overhead),
            pressure,
            samples: summaries.map(|summary| summary.weight),
            age: Duration::from_millis((now / 1_000_000).saturating_sub(millisecond)),
        }
    }
}

impl Verdict {
    /// Explains in sentences why calls run on this arm, with the thresholds of `knobs`: pass
    /// [`LoomConfig::mab_knobs`](crate::LoomConfig).
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// runtime.block_on(runtime.spawn_adaptive_with_hint(loom::ComputeHint::Low, || 6 * 7));
    /// let verdict = runtime.functions()[0].verdict.expect("it was called");
    /// println!("{}", verdict.explain(&runtime.config().mab_knobs));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn explain(&self, knobs: &MabKnobs) -> String {
        let Self { arm, reason, inline_cost, offload_cost, overhead, pressure, .. } = self;
        let costs = format!(
            "an inline call is expected to cost {inline_cost:.1?}, including the delay of other \
             tasks ({pressure:.1} are ready behind it); an offloaded call {offload_cost:.1?}, of \
             which {overhead:.1?} are the way to the pool and back"
        );
        match reason {
            Reason::Cost => format!("The {arm} arm is cheaper: {costs}."),
            Reason::Unknown => {
                "The function has not been measured yet, and a wrong offload costs less than a \
                 wrong inline call."
                    .to_owned()
            }
            Reason::Retest => format!(
                "The {arm} arm is tried again, since its measurements may be out of date: {costs}."
            ),
            Reason::OnComputeThread => {
                "The call was made on a compute thread, where it delays no I/O.".to_owned()
            }
            Reason::NoPool => "There are no compute threads: the system refused them.".to_owned(),
            Reason::Told => "The mode of the function or of the test forces this arm.".to_owned(),
            Reason::LoneWorker => format!(
                "GR0: with one I/O worker, or an unknown number of them, no call of {} µs or more \
                 runs inline, and no call at all while other tasks are ready (pressure above {}).",
                knobs.t_tiny_inline_us, knobs.p_low
            ),
            Reason::HardCap => format!(
                "GR1: no I/O worker is blocked for {} µs or more, whatever the costs.",
                knobs.t_block_hard_us
            ),
            Reason::Pressure => format!(
                "GR2: {pressure:.1} tasks are ready behind each call, more than {}; in this case \
                 no I/O worker is blocked for {} µs or more.",
                knobs.p_high, knobs.t_inline_under_pressure_us
            ),
            Reason::Strikes => format!(
                "GR3: recent inline calls took {} µs or more; this is forgotten in some \
                 milliseconds, unless it happens again.",
                knobs.t_strike_us
            ),
            Reason::Refused => {
                "GR4: an inline call blocked its thread, which tokio refuses on threads that drive \
                 async tasks; all calls since then are offloaded."
                    .to_owned()
            }
        }
    }
}

/// Nanoseconds as a duration; zero if they are negative, too large or not a number.
pub(crate) fn duration(nanos: f64) -> Duration {
    Duration::try_from_secs_f64(nanos / 1e9).unwrap_or_default()
}

/// Formats the verdict as one line.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arm, reason, inline_cost, offload_cost, overhead, pressure, samples, age } =
            self;
        let [inline, offloaded] = samples;
        write!(
            f,
            "{arm} ({reason}): {inline_cost:.2?} inline, {offload_cost:.2?} offloaded; overhead \
             {overhead:.2?}, pressure {pressure:.2}; {inline:.0} + {offloaded:.0} samples, drawn \
             {age:.0?} ago"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_one_readable_line() {
        let kept = Kept {
            arm: Arm::InlineTokio,
            reason: Reason::Cost,
            millisecond: 5,
            costs: Costs { inline: 8200.0, offload: 15_300.0 },
            pressure: 0.3,
            overhead: 10_100.0,
        };
        let inline = Summary { weight: 311.7, ..Summary::default() };
        let verdict = Verdict::of(kept, [inline, Summary::default()], 1_205_000_000);
        assert_eq!(
            verdict.to_string(),
            "inline (cheaper): 8.20µs inline, 15.30µs offloaded; overhead 10.10µs, pressure 0.30; \
             312 + 0 samples, drawn 1s ago"
        );
        assert_eq!(duration(f64::NAN), Duration::ZERO);
        assert_eq!(
            verdict.explain(&MabKnobs::new()),
            "The inline arm is cheaper: an inline call is expected to cost 8.2µs, including the \
             delay of other tasks (0.3 are ready behind it); an offloaded call 15.3µs, of which \
             10.1µs are the way to the pool and back."
        );
        let capped = Verdict { reason: Reason::HardCap, ..verdict };
        let knobs = MabKnobs { t_block_hard_us: 300.0, ..MabKnobs::new() };
        assert!(capped.explain(&knobs).contains("blocked for 300 µs"));
    }
}
