//! Manual decisions, for callers that run the function on the chosen arm themselves.

use std::fmt;
use std::time::Instant;

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, Ordering};

use super::decide::{Caller, Conditions};
use super::recent::Recent;
use super::thread_stats::Moment;
use super::trie::Trie;
use super::{Arm, ComputeHint, FunctionKey, MabKnobs, Overhead, Record, Run, Table, ThreadStats};

/// How many indices each key has.
#[expect(clippy::cast_possible_truncation, reason = "there are four")]
const HINTS: u32 = ComputeHint::ALL.len() as u32;

/// Decides where functions, given by their keys, should run, and learns from how long they took.
///
/// [`LoomRuntime::mab_scheduler`](crate::LoomRuntime::mab_scheduler) returns the scheduler of a
/// runtime, which knows the cost of its compute pool. It shares no measurements with
/// [`spawn_adaptive`](crate::spawn_adaptive).
///
/// Each arm's cost is learned from the calls that ran there, since a caller may run other code on
/// each arm. So a function that takes 200 µs inline and 5 µs offloaded ends up offloaded. The
/// guardrails stand: a function that takes 250 µs or more on the pool is not tried inline. The calls
/// of one key are learned separately by their hints, as those of a closure are.
///
/// Cost: a decision reads the measurements and draws at most three random numbers, without a lock. Each key
/// takes about 1 KiB for each hint that it is used with; a decision takes no memory, so a decision
/// that is never finished leaks nothing.
///
/// ```
/// use std::time::Instant;
/// use loom::mab::{Arm, FunctionKey};
///
/// # fn resize() {}
/// # #[loom::main]
/// # async fn main() {
/// const RESIZE: FunctionKey = FunctionKey::from_path("shop::images::resize");
/// let runtime = loom::current_runtime().expect("within one");
/// let scheduler = runtime.mab_scheduler();
/// let (id, arm) = scheduler.choose(RESIZE, &runtime.collect_context());
/// let started = Instant::now();
/// match arm {
///     Arm::InlineTokio => resize(),
///     Arm::OffloadRayon => runtime.spawn_compute(resize).await,
/// }
/// scheduler.finish(id, started.elapsed().as_secs_f64() * 1e6, None);
/// # }
/// ```
pub struct MabScheduler {
    knobs: MabKnobs,
    overhead: Arc<Overhead>,
    /// The start of all times.
    started: Instant,
    /// The index of each key in the table, for its first hint; the other hints follow.
    keys: Trie<FunctionKey, u32>,
    functions: Table<Box<Manual>>,
    next: AtomicU32,
}

struct Manual {
    record: Record,
    stats: ThreadStats,
    recent: Recent,
}

/// One decision, to be finished.
///
/// It encodes the function and its hint, the chosen arm and a running number. The scheduler keeps no
/// list of open decisions, so a decision may be kept, copied, or dropped. Of each key and hint, the
/// last 64 decisions are remembered, and count once however often they are finished. An older one
/// counts each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecisionId(pub u64);

/// The conditions of a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Context {
    /// How many I/O workers there are.
    pub tokio_workers: u32,
    /// Tasks that are ready to run and wait for a worker. Tasks that sleep do not count.
    pub inflight_tasks: u32,
    /// Tasks that become ready, per second.
    pub spawn_rate_per_s: f32,
    /// How many compute threads there are; with none, every decision is inline.
    pub rayon_threads: u32,
    /// Calls that wait for a compute thread. The number decides nothing: a long queue makes no
    /// function slow, and load shedding is up to the code that submits.
    pub rayon_queue_depth: u32,
}

impl MabScheduler {
    /// A scheduler that belongs to no runtime, with these thresholds and weights.
    ///
    /// # Panics
    ///
    /// Panics if a knob is out of its bounds; the message names the knob.
    #[must_use]
    pub fn new(knobs: MabKnobs) -> Self {
        if let Some((knob, value, expected)) = knobs.fault() {
            panic!("`{knob}` is {value}; expected {expected}");
        }
        Self::with_overhead(knobs, Arc::default())
    }

    /// A scheduler that belongs to no runtime, with the default thresholds and weights.
    #[must_use]
    pub fn with_defaults() -> Self {
        Self::new(MabKnobs::new())
    }

    pub(crate) fn with_overhead(knobs: MabKnobs, overhead: Arc<Overhead>) -> Self {
        Self {
            knobs,
            overhead,
            started: Instant::now(),
            keys: Trie::new(),
            functions: Table::default(),
            next: AtomicU32::new(0),
        }
    }

    /// Where a call of a function should run now.
    pub fn choose(&self, key: FunctionKey, context: &Context) -> (DecisionId, Arm) {
        self.choose_with_hint(key, context, ComputeHint::Unknown)
    }

    /// [`choose`](Self::choose) with a hint of the call's run time.
    pub fn choose_with_hint(
        &self,
        key: FunctionKey,
        context: &Context,
        hint: ComputeHint,
    ) -> (DecisionId, Arm) {
        self.choose_at(key, context, hint, self.now())
    }

    fn choose_at(
        &self,
        key: FunctionKey,
        context: &Context,
        hint: ComputeHint,
        now: u64,
    ) -> (DecisionId, Arm) {
        let index = *self.keys.entry(key, || self.next.fetch_add(HINTS, Ordering::Relaxed));
        let index = index + u32::from(hint.class());
        let function = self.functions.entry(index, || {
            let (record, stats) = (Record::apart(), ThreadStats::new(key.0));
            Box::new(Manual { record, stats, recent: Recent::new() })
        });
        let conditions = self.conditions(context, now);
        // Every call is measured, so ticks are not needed.
        let at =
            Moment { pressure_level: self.knobs.pressure_level(conditions.pressure), now, tick: 0 };
        let decision = function.stats.decide(&function.record, &self.knobs, &conditions, hint, at);
        (DecisionId::of(index, function.recent.begin(), decision.arm), decision.arm)
    }

    /// Reports how long a call took in all, and the function alone if that is known; in
    /// microseconds, from 0 to one day. If `observed_cost_us` is outside that range or not a number,
    /// the report is ignored; such an `observed_fn_us` counts as `None`. A second report of a
    /// decision is ignored if the decision is one of the last 64 of its key and hint. An `id` that
    /// this scheduler cannot have returned is ignored; an id of another scheduler is not told apart.
    pub fn finish(&self, id: DecisionId, observed_cost_us: f64, observed_fn_us: Option<f64>) {
        self.finish_at(id, observed_cost_us, observed_fn_us, self.now());
    }

    fn finish_at(&self, id: DecisionId, cost_us: f64, function_us: Option<f64>, now: u64) {
        let (index, number, arm) = id.parts();
        let Some(function) = self.functions.get(index) else { return };
        // A caller that reports more than a day means "never".
        let is_time = |us: &f64| (0.0..=86.4e9).contains(us);
        let Some(cost) = Some(cost_us).filter(is_time) else { return };
        if !function.recent.finish(number) {
            return;
        }
        let run_time = match (arm, function_us.filter(is_time)) {
            (_, Some(run_time)) => {
                if arm == Arm::OffloadRayon {
                    self.overhead.record((cost - run_time).max(0.0) * 1e3, now);
                }
                run_time
            }
            (Arm::InlineTokio, None) => cost,
            (Arm::OffloadRayon, None) => {
                let prior = self.knobs.offload_overhead_us() * 1e3;
                (cost - self.overhead.belief(prior).mean / 1e3).max(0.0)
            }
        };
        function.record.observe(&self.knobs, arm, Run::of_nanos(run_time * 1e3), now);
    }

    /// The thresholds and weights.
    #[must_use]
    pub fn knobs(&self) -> &MabKnobs {
        &self.knobs
    }

    fn conditions(&self, context: &Context, now: u64) -> Conditions {
        let workers = f64::from(context.tokio_workers.max(1));
        let ready = f64::from(context.inflight_tasks) / workers;
        let arrivals = f64::from(context.spawn_rate_per_s) / 1e9 / workers;
        Conditions {
            forced: None,
            is_overridden: false,
            is_observed: false,
            is_refused: false,
            is_limited: false,
            caller: match context {
                Context { rayon_threads: 0, .. } => Caller::NoPool,
                Context { tokio_workers, .. } => Caller::Io(*tokio_workers as usize),
            },
            overhead: self.overhead.belief(self.knobs.offload_overhead_us() * 1e3),
            overhead_age: self.overhead.age(now),
            queue: 0.0,
            pressure: ready.min(self.knobs.pressure_clip),
            arrivals: if arrivals.is_finite() { arrivals.max(0.0) } else { 0.0 },
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl DecisionId {
    /// From the highest bits: 32 of the function's index, 31 of the decision's number, and the arm.
    fn of(index: u32, number: u32, arm: Arm) -> Self {
        let arm = u64::from(arm == Arm::InlineTokio);
        Self(u64::from(index) << 32 | u64::from(number) << 1 | arm)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the parts of the word")]
    fn parts(self) -> (u32, u32, Arm) {
        let arm = if self.0 & 1 == 1 { Arm::InlineTokio } else { Arm::OffloadRayon };
        ((self.0 >> 32) as u32, self.0 as u32 >> 1, arm)
    }
}

impl Default for MabScheduler {
    fn default() -> Self {
        Self::with_defaults()
    }
}

impl fmt::Debug for MabScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MabScheduler").field("knobs", &self.knobs).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: FunctionKey = FunctionKey::from_path("a::function");
    const CALM: Context = Context {
        tokio_workers: 2,
        inflight_tasks: 0,
        spawn_rate_per_s: 0.0,
        rayon_threads: 2,
        rayon_queue_depth: 0,
    };

    /// How many of the calls ran inline, with the time that each arm takes.
    fn inline_at(
        scheduler: &MabScheduler,
        context: &Context,
        hint: ComputeHint,
        [inline, offload]: [f64; 2],
        calls: u64,
    ) -> u64 {
        (0..calls)
            .map(|now| {
                let now = now * 1_000_000;
                let (id, arm) = scheduler.choose_at(KEY, context, hint, now);
                let is_inline = arm == Arm::InlineTokio;
                let (cost, function) =
                    if is_inline { (inline, inline) } else { (offload + 10.0, offload) };
                scheduler.finish_at(id, cost, Some(function), now);
                u64::from(is_inline)
            })
            .sum()
    }

    fn inline_of(scheduler: &MabScheduler, context: &Context, us: f64, calls: u64) -> u64 {
        inline_at(scheduler, context, ComputeHint::Unknown, [us, us], calls)
    }

    #[test]
    fn each_arm_is_learned_by_its_own_calls() {
        let share =
            |times| inline_at(&MabScheduler::default(), &CALM, ComputeHint::Unknown, times, 4000);
        // A device or a parallel body on the other side.
        assert!(share([200.0, 5.0]) < 40);
        assert!(share([5.0, 200.0]) > 3960);
        assert!(share([40.0, 5.0]) < 80);
        // What takes that long on the pool is not tried on an I/O worker.
        assert_eq!(share([5.0, 4000.0]), 0);
        assert!(share([2000.0, 200.0]) < 20);
    }

    #[test]
    fn an_arm_that_became_the_better_one_is_found() {
        let scheduler = MabScheduler::default();
        let share = |times| inline_at(&scheduler, &CALM, ComputeHint::Unknown, times, 10_000);
        assert!(share([200.0, 5.0]) < 100);
        assert!(share([5.0, 200.0]) > 8000);
        assert!(share([200.0, 5.0]) < 2000);
    }

    #[test]
    fn a_hint_is_a_start_and_no_order() {
        let share = |hint, times| inline_at(&MabScheduler::default(), &CALM, hint, times, 4000);
        assert!(share(ComputeHint::High, [5.0, 5.0]) > 3900);
        assert!(share(ComputeHint::Medium, [5.0, 5.0]) > 3900);
        assert!(share(ComputeHint::Low, [4000.0, 4000.0]) < 5);
    }

    #[test]
    fn a_long_call_inline_is_not_forgotten() {
        // Each inline call blocks a worker for as long as 7,000 calls on the pool take.
        let inline = inline_at(
            &MabScheduler::default(),
            &CALM,
            ComputeHint::Unknown,
            [100_000.0, 5.0],
            100_000,
        );
        assert!(inline <= 2, "{inline}");
    }

    #[test]
    fn hints_of_one_key_are_learned_apart() {
        let scheduler = MabScheduler::default();
        let share = |hint, us| inline_at(&scheduler, &CALM, hint, [us, us], 100);
        let (mut short, mut long) = (0, 0);
        for _ in 0..20 {
            short += share(ComputeHint::Low, 5.0);
            long += share(ComputeHint::High, 5000.0);
        }
        assert!(short > 1980 && long == 0, "{short} {long}");
    }

    #[test]
    fn a_decision_that_is_finished_twice_counts_once() {
        let samples = |times: usize| {
            let scheduler = MabScheduler::default();
            for _ in 0..20 {
                let (id, _) = scheduler.choose_at(KEY, &CALM, ComputeHint::Unknown, 0);
                for _ in 0..times {
                    scheduler.finish_at(id, 20.0, Some(5.0), 0);
                }
            }
            let function = scheduler.functions.get(0).expect("it was chosen");
            function.record.samples()
        };
        assert_eq!((samples(1), samples(5)), (20, 20));
    }

    #[test]
    fn it_learns_by_what_it_is_told() {
        assert!(inline_of(&MabScheduler::default(), &CALM, 5.0, 1000) > 980);
        assert_eq!(inline_of(&MabScheduler::default(), &CALM, 5000.0, 1000), 0);
        let busy = Context { inflight_tasks: 8, ..CALM };
        assert!(inline_of(&MabScheduler::default(), &busy, 50.0, 1000) < 30);
        let alone = Context { tokio_workers: 1, ..CALM };
        assert_eq!(inline_of(&MabScheduler::default(), &alone, 60.0, 1000), 0);
        let no_pool = Context { rayon_threads: 0, ..CALM };
        assert_eq!(inline_of(&MabScheduler::default(), &no_pool, 5000.0, 100), 100);
    }

    #[test]
    fn decisions_that_nobody_made_change_nothing() {
        let scheduler = MabScheduler::default();
        scheduler.finish(DecisionId(u64::MAX), 1.0, None);
        scheduler.finish(DecisionId(12), 1.0, None);
        let (id, _) = scheduler.choose(KEY, &CALM);
        scheduler.finish(id, f64::NAN, None);
        scheduler.finish(id, -1.0, Some(1.0));
        scheduler.finish(DecisionId(id.0 ^ 2), 1.0, None);
        assert_eq!(scheduler.next.load(Ordering::Relaxed), HINTS);
        assert!(scheduler.functions.get(0).is_some_and(|function| {
            function.record.summaries().iter().all(|summary| summary.weight < 0.5)
        }));
    }

    #[test]
    fn what_is_never_finished_leaves_nothing() {
        let scheduler = MabScheduler::default();
        for _ in 0..10_000 {
            scheduler.choose(KEY, &CALM);
        }
        // One function; decisions take no entry.
        assert_eq!(scheduler.next.load(Ordering::Relaxed), HINTS);
    }
}
