//! Snapshots of what a runtime has measured of each function.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::call::gate_of;
use crate::config::Override;
use crate::core::{Core, Function, context, inline};
use crate::metrics::Histogram;
use crate::scheduler::{ComputeHint, FunctionKey, Mode, Verdict, Wake, duration};
use crate::threads::process_wide;

#[cfg(feature = "fleet")]
use super::far::FarStats;

/// What the runtime has measured of one function so far.
///
/// This is a snapshot. Its fields are read one after another while calls continue, so sums may be
/// off by the calls that are being made at that time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FunctionStats {
    /// The item path, with the types of generic functions and methods; the attribute's `key` if it
    /// has one. For a closure, the function that makes it and the place of the first call,
    /// `shop::report at src/report.rs:12:18`; a number follows if an earlier closure has that name.
    pub name: &'static str,
    /// The item path without types: the module path and the function's name. For a closure, the
    /// compiler's name of it.
    pub path: &'static str,
    /// The key that is made from the name.
    pub key: FunctionKey,
    /// The hint of the attribute. For closures, the hint of the call: calls with different hints
    /// are measured separately.
    pub hint: ComputeHint,
    /// How it is decided where calls run: the override's mode, or that of the attribute.
    pub mode: Mode,
    /// The override that applies; [`Override::none`] if none does.
    pub overridden_to: Override,
    /// Calls whose mode an override has set; settled calls are counted with the next measured one.
    pub overridden: u64,
    /// The sizes of input that these figures are about, if the attribute states the size.
    pub sizes: Option<RangeInclusive<u64>>,
    /// What the polls follow that these figures are about, if the function awaits. Each of its polls counts
    /// as a call here; how the function ended is counted with the first polls.
    pub after: Option<Wake>,
    /// Calls that ran inline, on the thread that made them.
    pub inline: u64,
    /// Inline calls that would have been offloaded if the mode were not `observe`.
    pub withheld: u64,
    /// Calls that were offloaded to the compute pool.
    pub offloaded: u64,
    /// Calls that returned a result to their caller, on either arm.
    pub returned: u64,
    /// Calls that ended in a panic, on either arm.
    pub panicked: u64,
    /// Calls that their caller abandoned before they ended, and that did not panic.
    pub abandoned: u64,
    /// Calls that never ran, since `compute_queue` calls waited already or the runtime had ended. A
    /// call that was refused before its arm was decided is in no other count.
    pub refused: u64,
    /// Calls that never ran, since they could not have ended before their deadline.
    pub expired: u64,
    /// The mean run time as the scheduler remembers it, without the hint; `None` before the first
    /// call has ended.
    pub mean: Option<Duration>,
    /// How long the function itself took, for timed calls: all long calls, and a part of the short
    /// calls.
    pub run_times: Histogram,
    /// How long offloaded calls waited until a compute thread started them.
    pub queue_waits: Histogram,
    /// How many calls may run at a time: the override's number, or that of the attribute. All instances of a
    /// function and all classes of its inputs share it.
    pub max_concurrent: Option<usize>,
    /// How many of its calls run now, where there is such a limit, and how many wait for it. Those that gave up
    /// waiting are counted for some time.
    pub at_limit: Option<(usize, usize)>,
    /// How long calls waited for that limit, of those that had to.
    pub limit_waits: Histogram,
    /// The last verdict and its basis.
    pub verdict: Option<Verdict>,
    /// Its calls on other processes of the fleet. They are in none of the counts above, except where one ran
    /// here in the end.
    #[cfg(feature = "fleet")]
    pub far: FarStats,
    /// A number that is unique in this process.
    #[cfg(feature = "dashboard")]
    pub(crate) index: u32,
}

impl FunctionStats {
    /// The number of calls on both arms.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inline + self.offloaded
    }

    /// The share of calls that ran inline, 0 to 1; `None` before the first call.
    #[must_use]
    pub fn inline_share(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "an approximate share is enough")]
        let share = self.inline as f64 / self.calls() as f64;
        (self.calls() > 0).then_some(share)
    }
}

impl FunctionStats {
    fn of(core: &Core, function: &Function, now: u64) -> Self {
        let Function { site, class, record, counters, all_stats, applied, .. } = function;
        let over = core.overrides.of(site, applied, |_, _| {});
        let withheld = counters.withheld.count();
        let gate = gate_of(core, function);
        let inline = inline(all_stats) + withheld;
        let panicked_inline = counters.panicked_inline.count();
        Self {
            name: site.name(),
            path: site.path(),
            key: site.key(),
            hint: site.hint_of(*class),
            mode: over.mode.unwrap_or_else(|| site.mode()),
            overridden_to: over,
            overridden: counters.overridden.count(),
            sizes: site.sizes(*class),
            after: site.after(*class),
            inline,
            withheld,
            offloaded: counters.offloaded.count(),
            returned: inline.saturating_sub(panicked_inline) + counters.returned.count(),
            panicked: panicked_inline + counters.panicked.count(),
            abandoned: counters.abandoned.count(),
            refused: counters.refused.count(),
            expired: counters.expired.count(),
            mean: record.mean().map(duration),
            run_times: counters.run_times.snapshot(),
            queue_waits: counters.queue_waits.snapshot(),
            max_concurrent: gate.map(|(limit, _)| limit),
            at_limit: gate.map(|(_, gate)| gate.counts()),
            limit_waits: counters.limit_waits.snapshot(),
            verdict: record.verdict(now).map(|verdict| verdict.after(site.after(*class))),
            #[cfg(feature = "fleet")]
            far: FarStats::of(core, function, now),
            #[cfg(feature = "dashboard")]
            index: site.index(*class),
        }
    }
}

/// Every function that `core` has measured, sorted by name.
pub(crate) fn of_core(core: &Core) -> Vec<FunctionStats> {
    let now = core.now();
    let mut functions: Vec<_> =
        core.functions().map(|function| FunctionStats::of(core, function, now)).collect();
    functions.sort_by_key(|function| (function.name, function.sizes.as_ref().map(|s| *s.start())));
    functions
}

/// What the current runtime has measured of each function; outside of any runtime, what the
/// process-wide compute pool has measured.
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
