//! What is known of each function, for people and programs to read.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::core::{Core, Function, context, inline};
use crate::metrics::Histogram;
use crate::scheduler::{ComputeHint, FunctionKey, Mode, Verdict, duration};
use crate::threads::process_wide;

/// One function as the runtime has seen it so far.
///
/// A snapshot: the parts are read one after another while calls go on, so sums may be off
/// by the calls that are just being made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FunctionStats {
    /// The item path, with the types of generic functions and methods; what `key` says instead;
    /// or the type of a closure.
    pub name: &'static str,
    /// The item path alone: the module's, and the function's name.
    pub path: &'static str,
    /// The key made from it.
    pub key: FunctionKey,
    /// What the attribute says; closures are learned apart by the hint that each call is given.
    pub hint: ComputeHint,
    /// Who decides where calls run.
    pub mode: Mode,
    /// Which sizes of input these are, where the attribute gives the size.
    pub sizes: Option<RangeInclusive<u64>>,
    /// Calls that ran where they were made.
    pub inline: u64,
    /// Those of them that would have been offloaded, had the mode not been `observe`.
    pub withheld: u64,
    /// Calls that were given to the compute pool.
    pub offloaded: u64,
    /// Calls that ended with a result for their caller, on either arm.
    pub returned: u64,
    /// Calls that ended in a panic, on either arm.
    pub panicked: u64,
    /// Calls whose caller gave up before they ended, and that did not panic.
    pub abandoned: u64,
    /// Calls that never ran, since as many waited as `compute_queue` allows, or since the
    /// runtime had ended. Those that were refused before they were placed are in no other count.
    pub refused: u64,
    /// The mean run time as the scheduler remembers it, without the hint; nothing before the
    /// first call ended.
    pub mean: Option<Duration>,
    /// How long the function itself took, of the calls that were timed: all that took long, and
    /// a share of those that did not.
    pub run_times: Histogram,
    /// How long offloaded calls waited until a compute thread began with them.
    pub queue_waits: Histogram,
    /// The last verdict, and what it was based on.
    pub verdict: Option<Verdict>,
    /// Unique in this process.
    #[cfg(feature = "dashboard")]
    pub(crate) index: u32,
}

impl FunctionStats {
    /// All calls, on either arm.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inline + self.offloaded
    }

    /// The share of calls that ran inline, 0 to 1; `None` before the first call.
    #[must_use]
    pub fn inline_share(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a share is read by people")]
        let share = self.inline as f64 / self.calls() as f64;
        (self.calls() > 0).then_some(share)
    }
}

impl FunctionStats {
    fn of(function: &Function, now: u64) -> Self {
        let Function { site, class, record, counters, all_stats } = function;
        let [here, there] = record.summaries();
        let weight = here.weight + there.weight;
        let mean = (here.weight * here.mean + there.weight * there.mean) / weight;
        let withheld = counters.withheld.count();
        let inline = inline(all_stats) + withheld;
        let panicked_inline = counters.panicked_inline.count();
        Self {
            name: site.name(),
            path: site.path(),
            key: site.key(),
            hint: site.hint_of(*class),
            mode: site.mode(),
            sizes: site.sizes(*class),
            inline,
            withheld,
            offloaded: counters.offloaded.count(),
            returned: inline.saturating_sub(panicked_inline) + counters.returned.count(),
            panicked: panicked_inline + counters.panicked.count(),
            abandoned: counters.abandoned.count(),
            refused: counters.refused.count(),
            mean: (weight > 0.0).then(|| duration(mean)),
            run_times: counters.run_times.snapshot(),
            queue_waits: counters.queue_waits.snapshot(),
            verdict: record.verdict(now),
            #[cfg(feature = "dashboard")]
            index: site.index(*class),
        }
    }
}

/// Every function `core` has seen, by name.
pub(crate) fn of_core(core: &Core) -> Vec<FunctionStats> {
    let now = core.now();
    let mut functions: Vec<_> =
        core.functions().map(|function| FunctionStats::of(function, now)).collect();
    functions.sort_by_key(|function| (function.name, function.sizes.as_ref().map(|s| *s.start())));
    functions
}

/// What the current runtime has seen of each function; outside of any runtime, what the
/// process-wide compute pool has seen.
///
/// ```
/// #[loom::compute(hint = "low")]
/// fn double(n: u32) -> u32 {
///     n * 2
/// }
///
/// #[loom::main]
/// async fn main() {
///     assert_eq!(double(21).await, 42);
///     let seen = loom::functions();
///     assert!(seen[0].name.ends_with("::double"));
///     assert_eq!(seen[0].calls(), 1);
/// }
/// ```
#[must_use]
pub fn functions() -> Vec<FunctionStats> {
    context::current().or_else(process_wide::started).map(|core| of_core(&core)).unwrap_or_default()
}
