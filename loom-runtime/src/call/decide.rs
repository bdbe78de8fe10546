//! A call as its caller describes it, and the decision on its arm under the conditions of its runtime.

use std::panic::Location;
use std::time::Duration;

use crate::bridge::Priority;
use crate::config::Override;
#[cfg(feature = "tower")]
use crate::core::route;
use crate::core::{Core, Function, thread_stats};
#[cfg(feature = "fleet")]
use crate::scheduler::Known;
use crate::scheduler::{Arm, ComputeHint, Conditions, Decision, Mode, Moment, Site};
use crate::sync::Arc;
use crate::topology::os;

use super::accounting::CallOptions;
use super::baggage::CarriedKeys;
#[cfg(feature = "fleet")]
use super::far::would_go;
use super::limits::{expected_wait, limit_of};
use super::overriding;
use super::way_probe;

/// The site of a call, and the properties of the call that the caller states.
#[derive(Clone, Copy)]
pub(crate) struct CallInfo {
    pub(crate) site: &'static Site,
    /// The size class of the call's input.
    pub(crate) class: u8,
    pub(crate) hint: ComputeHint,
    /// The priority in the queue, where the call is offloaded.
    pub(crate) priority: Priority,
    /// Task-locals that an offloaded call carries.
    pub(crate) carrying: CarriedKeys,
}

impl CallInfo {
    /// The call of a closure of type `F`.
    #[track_caller]
    pub(crate) fn closure<F: 'static>(hint: ComputeHint) -> Self {
        let (site, class) = Self::site_of_closure::<F>(hint);
        Self::of(site, class, hint)
    }

    /// The site of a closure of type `F`, and the class of its calls with this hint.
    #[track_caller]
    #[inline]
    pub(crate) fn site_of_closure<F: 'static>(hint: ComputeHint) -> (&'static Site, u8) {
        let site = Site::of_closure::<F>(Location::caller());
        (site, site.class_of_hint(hint))
    }

    pub(crate) fn of(site: &'static Site, class: u8, hint: ComputeHint) -> Self {
        Self { site, class, hint, priority: Priority::Normal, carrying: &[] }
    }

    /// The function that is called.
    pub(super) fn function(self, core: &Core) -> &Arc<Function> {
        core.function(self.site, self.class)
    }

    /// The options of the call, where it is offloaded.
    pub(super) fn options(self, core: &Core) -> CallOptions {
        let function = self.function(core);
        let priority = overriding::of(core, function).priority.unwrap_or(self.priority);
        CallOptions {
            function: Some(Arc::clone(function)),
            priority,
            carrying: self.carrying,
            is_timed: true,
            permit: None,
        }
    }
}

/// The mode of a function, and the conditions of a call of this priority.
fn conditions_of(
    core: &Core,
    function: &Function,
    over: Override,
    priority: Priority,
    now: u64,
) -> (Mode, Conditions) {
    let mode = over.mode.unwrap_or_else(|| function.site.mode());
    let forced = match mode {
        Mode::Adaptive => core.forced.get().copied(),
        mode => mode.forced_arm(),
    };
    // An override to `adaptive` forces no arm; a test still may.
    let is_overridden = over.mode.and_then(Mode::forced_arm).is_some();
    let is_refused = function.site.is_refused();
    let is_limited = limit_of(over, function).is_some();
    let priority = over.priority.unwrap_or(priority);
    let is_observed = mode == Mode::Observe;
    let (withheld, wait) = if is_observed { core.withheld_queue.waiting(now) } else { (0, 0) };
    let queue = core.backlog.expected(priority, core.queue.waiting() + withheld, now);
    let queue = queue.max(Duration::from_nanos(wait)).as_secs_f64() * 1e9;
    let seen = core.conditions_of(is_observed, now);
    let of_call = Conditions { forced, is_overridden, is_refused, is_limited, queue, ..seen };
    (mode, of_call)
}

/// Whether the function may leave the process, and the conditions of a call of it.
#[cfg(feature = "fleet")]
pub(super) fn conditions_now(
    core: &Core,
    function: &Function,
    priority: Priority,
    now: u64,
) -> (bool, Conditions) {
    let over = overriding::of(core, function);
    let (mode, conditions) = conditions_of(core, function, over, priority, now);
    let is_free = !conditions.is_overridden && conditions.forced != Some(Arm::InlineTokio);
    (is_free && mode != Mode::Observe, conditions)
}

/// As [`conditions_now`], and what is known of the function.
#[cfg(feature = "fleet")]
pub(super) fn now_of(
    core: &Core,
    function: &Function,
    priority: Priority,
    now: u64,
) -> (bool, Conditions, Known) {
    let hint = overriding::of(core, function)
        .hint
        .unwrap_or_else(|| function.site.hint_of(function.class));
    let (is_free, conditions) = conditions_now(core, function, priority, now);
    (is_free, conditions, function.record.known(&core.knobs, hint, now))
}

/// The priority with which a call of the function that is made now would wait in the queue; `None` if it
/// would most likely run inline, or on another process.
fn would_queue(core: &Core, function: &Function, now: u64) -> Option<Priority> {
    let priority = function.priority.get();
    let over = overriding::of(core, function);
    let hint = over.hint.unwrap_or_else(|| function.site.hint_of(function.class));
    let (mode, conditions) = conditions_of(core, function, over, priority, now);
    let known = function.record.known(&core.knobs, hint, now);
    let would_queue =
        mode != Mode::Observe && known.likely_arm(&core.knobs, &conditions) == Arm::OffloadRayon;
    #[cfg(feature = "fleet")]
    let would_queue = would_queue && !would_go(core, function, &known, &conditions, now);
    would_queue.then(|| over.priority.unwrap_or(priority))
}

/// Of these functions, the one whose call would wait longest in the queue, and how long, if that is more
/// than `bound`; as [`Core::would_wait`].
#[expect(single_use_lifetimes, reason = "an `impl Trait` needs a name for it")]
pub(crate) fn would_wait<'a>(
    core: &Core,
    functions: impl Iterator<Item = &'a Function>,
    bound: Duration,
) -> Option<(&'static str, Duration)> {
    let now = core.now();
    let mut at_limit: Option<(&'static str, Duration)> = None;
    let queueing = functions.filter_map(|function| {
        if let Some(wait) = expected_wait(core, function)
            && at_limit.is_none_or(|(_, longest)| wait > longest)
        {
            at_limit = Some((function.site.name(), wait));
        }
        would_queue(core, function, now).map(|priority| (priority, function.site.name()))
    });
    // A place in the queue has a price of its own for each priority, and the dearest one counts.
    let wait = |priority| core.backlog.expected(priority, core.queue.waiting(), now);
    let dearest = queueing.max_by_key(|(priority, _)| wait(*priority));
    at_limit.filter(|(_, wait)| *wait > bound).or_else(|| {
        let (priority, name) = dearest?;
        core.would_wait(priority, bound).map(|wait| (name, wait))
    })
}

/// Decides the arm of a call. The caller then runs it there.
pub(crate) fn decide(core: &Arc<Core>, info: CallInfo) -> Decision {
    let CallInfo { site, class, .. } = info;
    let now = core.now();
    let function = info.function(core);
    #[cfg(feature = "tower")]
    route::calls(site.index(class));
    function.priority.set(info.priority);
    let over = overriding::of(core, function);
    let hint = over.hint.unwrap_or(info.hint);
    let (mode, conditions) = conditions_of(core, function, over, info.priority, now);
    let at = Moment { pressure_level: core.pressure_level(), now, tick: os::tick() };
    let decision = thread_stats::with(core, site, class, |entry| {
        entry.stats.decide(&entry.function.record, &core.knobs, &conditions, hint, at)
    });
    if over.mode.is_some() {
        function.counters.overridden.add(decision.calls);
    }
    if mode == Mode::Observe {
        way_probe::make_if_due(core, decision.calls, &conditions, now);
        let is_withheld = decision.arm == Arm::OffloadRayon;
        if is_withheld {
            function.counters.withheld.add_one();
            let way = conditions.overhead.mean;
            core.withheld_queue.takes(core.compute_threads, decision.expected, way, now);
        }
        return Decision { arm: Arm::InlineTokio, is_withheld, ..decision };
    }
    if let Some(guardrail) = decision.reason.guardrail() {
        core.counters.guardrails[guardrail].add_one();
    }
    decision
}
