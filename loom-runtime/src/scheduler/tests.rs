//! The results of decisions over many calls, with simulated time.

use super::thread_stats::Moment;
use super::{
    Arm, ComputeHint, Context, FunctionKey, MabKnobs, MabScheduler, Reason, Record, Run,
    SimulatedFunction, Surroundings, ThreadStats, Times, Verdict,
};

const US: f64 = 1e3;
const MS: f64 = 1e6;

/// A function that is called many times, with the conditions of its calls.
struct Played {
    function: SimulatedFunction,
    now: u64,
    pressure: f64,
    overhead: f64,
    hint: ComputeHint,
}

impl Played {
    fn new() -> Self {
        Self {
            function: SimulatedFunction::new(MabKnobs::new(), 1, 1),
            now: 0,
            pressure: 1.0,
            overhead: 10.0 * US,
            hint: ComputeHint::Unknown,
        }
    }

    /// Makes one call that takes `nanos`, and returns where it ran and why.
    fn call(&mut self, nanos: f64) -> (Arm, Option<Reason>) {
        let surroundings = Surroundings {
            workers: 2,
            pressure: self.pressure,
            now: self.now,
            ..Surroundings::CALM
        };
        let (arm, reason) = self.function.decide(0, self.hint, &surroundings);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let took = nanos as u64;
        self.now += took + 1000;
        if reason.is_some() {
            self.function.ran(arm, nanos, self.now);
        }
        if arm == Arm::OffloadRayon {
            self.function.went(self.overhead, self.now);
        }
        (arm, reason)
    }

    /// Makes `calls` calls, and returns how many ran inline.
    fn inline(&mut self, nanos: f64, calls: usize) -> usize {
        (0..calls).filter(|_| self.call(nanos).0 == Arm::InlineTokio).count()
    }
}

#[test]
fn cheap_work_settles_inline_and_dear_work_on_the_pool() {
    let mut cheap = Played::new();
    assert!(cheap.inline(2.0 * US, 1000) >= 990);
    let mut dear = Played::new();
    assert!(dear.inline(100.0 * US, 1000) <= 10);
    let mut far_too_long = Played::new();
    assert_eq!(far_too_long.inline(2.0 * MS, 1000), 0);
}

#[test]
fn most_settled_calls_are_not_even_timed() {
    let mut cheap = Played::new();
    cheap.inline(20.0, 1000);
    let measured = (0..100_000).filter(|_| cheap.call(20.0).1.is_some()).count();
    assert!(measured < 200, "{measured}");
}

#[test]
fn one_preempted_call_does_not_bar_inline() {
    let mut function = Played::new();
    function.inline(5.0 * US, 500);
    function.call(5.0 * MS);
    let inline = function.inline(5.0 * US, 2000);
    assert!(inline >= 1800, "{inline}");
}

#[test]
fn far_too_long_calls_are_noticed_though_nobody_times_them() {
    let mut function = Played::new();
    function.inline(20.0, 10_000);
    // From now on each takes 5 ms, which moves the cheap clock, and every fourth call reads that.
    let inline = function.inline(5.0 * MS, 100);
    assert!(inline <= 6, "{inline}");
    let (arm, reason) = function.call(5.0 * MS);
    assert_eq!(arm, Arm::OffloadRayon);
    assert!(reason.is_some_and(Reason::is_guardrail), "{reason:?}");
}

#[test]
fn a_call_of_microseconds_reads_the_cheap_clock_each_time() {
    let mut function = Played::new();
    function.inline(2.0 * US, 10_000);
    let inline = function.inline(5.0 * MS, 100);
    assert!(inline <= 4, "{inline}");
}

#[test]
fn strikes_fade_with_time_whichever_arm_runs() {
    // No task waits, so inline is cheaper.
    let mut function = Played { pressure: 0.0, ..Played::new() };
    function.inline(5.0 * US, 5000);
    // The first of them is not timed, and a single strike is not enough.
    for _ in 0..3 {
        function.call(5.0 * MS);
    }
    let barred = (0..20).all(|_| function.call(5.0 * US).1 == Some(Reason::Strikes));
    assert!(barred, "several in a row are no single preemption");
    function.now += 50_000_000;
    assert_ne!(function.call(5.0 * US).1, Some(Reason::Strikes));
    let inline = function.inline(5.0 * US, 500);
    assert!(inline >= 480, "{inline}");
}

#[test]
fn a_function_that_changes_is_learned_anew() {
    let mut function = Played::new();
    function.inline(2.0 * US, 5000);
    let inline = function.inline(200.0 * US, 2000);
    assert!(inline < 100, "{inline}");
    let inline = function.inline(2.0 * US, 4000);
    assert!(inline > 3000, "{inline}");
}

#[test]
fn mixtures_are_told_apart_by_size() {
    // Mostly 5 µs and sometimes 5 ms: two functions, if calls state the size.
    let (mut small, mut large, mut both) = (Played::new(), Played::new(), Played::new());
    let mut inline_of_both = 0;
    for n in 0..2000 {
        if n % 20 == 0 {
            large.call(5.0 * MS);
            both.call(5.0 * MS);
        } else {
            small.call(5.0 * US);
            inline_of_both += usize::from(both.call(5.0 * US).0 == Arm::InlineTokio);
        }
    }
    assert!(small.inline(5.0 * US, 1000) >= 990);
    assert_eq!(large.inline(5.0 * MS, 100), 0);
    assert!(inline_of_both < 40, "one in twenty blocks the worker: {inline_of_both}");
}

#[test]
fn hints_count_on_every_call_until_there_are_measurements() {
    let decide = |hint: ComputeHint, function: &SimulatedFunction| {
        let surroundings = Surroundings { workers: 2, pressure: 0.5, ..Surroundings::CALM };
        function.decide(0, hint, &surroundings).0
    };
    let function = SimulatedFunction::new(MabKnobs::new(), 1, 1);
    (0..30).for_each(|now| function.went(10.0 * US, now));
    assert_eq!(decide(ComputeHint::Unknown, &function), Arm::OffloadRayon);
    assert_eq!(decide(ComputeHint::Low, &function), Arm::InlineTokio);
    assert_eq!(decide(ComputeHint::High, &function), Arm::OffloadRayon);
    assert_eq!(decide(ComputeHint::Low, &function), Arm::InlineTokio);

    let mut dear = Played { hint: ComputeHint::Low, ..Played::new() };
    assert!(dear.inline(900.0 * US, 100) <= 2, "the hint counts no longer");
    let mut cheap = Played { hint: ComputeHint::High, ..Played::new() };
    assert!(cheap.inline(2.0 * US, 100) >= 90);
}

#[test]
fn queueing_is_not_taken_for_the_functions_own_time() {
    const KEY: FunctionKey = FunctionKey::from_path("a::function");
    let scheduler = MabScheduler::with_defaults();
    let context = Context { tokio_workers: 2, rayon_threads: 2, ..Context::default() };
    let mut last = Arm::OffloadRayon;
    for _ in 0..100 {
        let (id, arm) = scheduler.choose(KEY, &context);
        // A round trip of 10 ms, of which all but 5 µs is waiting in the queue.
        let took = if arm == Arm::OffloadRayon { 10_000.0 } else { 5.0 };
        scheduler.finish(id, took, Some(5.0));
        last = arm;
    }
    assert_eq!(last, Arm::InlineTokio);
}

#[test]
fn offloading_costs_the_overhead_and_no_more() {
    let (verdict, _) = drawn(2.0 * MS, 10.0 * US);
    let offload = verdict.offload_cost.as_secs_f64() * 1e9;
    assert!((offload - 2.01 * MS).abs() < 0.05 * MS, "{verdict}");
    assert!((verdict.inline_cost.as_secs_f64() * 1e9 - 4.0 * MS).abs() < 0.1 * MS, "{verdict}");
}

#[test]
fn a_mean_that_is_old_stays_where_it_was() {
    let times = Times::default();
    (0..100).for_each(|_| times.record(5.0 * US));
    (0..1000).for_each(|_| times.fade(0.99));
    let summary = times.summary();
    assert!((summary.mean - 5.0 * US).abs() < 1.0, "{summary:?}");
    assert!(summary.weight < 0.01);
}

/// The verdict for a function after fifty measured calls, with one task behind each.
fn drawn(nanos: f64, overhead: f64) -> (Verdict, ThreadStats) {
    let (knobs, record, stats) = (MabKnobs::new(), Record::default(), ThreadStats::new(1));
    for now in 0..50 {
        record.observe(&knobs, Arm::OffloadRayon, Run::of_nanos(nanos), now);
    }
    let conditions = super::Conditions {
        forced: None,
        is_overridden: false,
        is_observed: false,
        is_refused: false,
        is_limited: false,
        caller: super::Caller::Io(2),
        overhead: super::overhead::Belief { mean: overhead, deviation: 0.0 },
        overhead_age: Some(0),
        queue: 0.0,
        pressure: 1.0,
        arrivals: 0.0,
    };
    let at = Moment { pressure_level: 0, now: 50, tick: 0 };
    // The first call of a function without a hint is offloaded, whatever was measured.
    for _ in 0..2 {
        stats.decide(&record, &knobs, &conditions, ComputeHint::Unknown, at);
    }
    (record.verdict(2_000_000_050).expect("it was drawn"), stats)
}

#[test]
fn a_verdict_can_be_explained() {
    let (verdict, _) = drawn(500.0 * US, 10.0 * US);
    assert_eq!((verdict.arm, verdict.reason), (Arm::OffloadRayon, Reason::HardCap));
    assert_eq!(verdict.age.as_secs(), 2);
    assert!((verdict.samples[1] - 50.0).abs() < 4.0, "{verdict}");
    let (verdict, _) = drawn(3.0 * US, 10.0 * US);
    assert_eq!((verdict.arm, verdict.reason), (Arm::InlineTokio, Reason::Cost));
}

#[test]
fn decisions_are_the_same_for_the_same_seed() {
    let run = |seed| {
        let function = SimulatedFunction::new(MabKnobs::new(), 1, seed);
        let mut played = Played { function, ..Played::new() };
        (0..2000).map(|_| played.call(10.0 * US).0 == Arm::InlineTokio).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8), "another seed may differ where the arms cost the same");
}

#[test]
fn re_tests_are_few() {
    let mut function = Played::new();
    let mut retests = 0;
    for n in 0..100_000 {
        let (_, reason) = function.call(60.0 * US);
        retests += usize::from(n >= 500 && reason == Some(Reason::Retest));
    }
    assert!((1..=500).contains(&retests), "{retests}");
}

#[test]
fn nonsense_leaves_no_trace() {
    const KEY: FunctionKey = FunctionKey::from_path("a::function");
    let scheduler = MabScheduler::with_defaults();
    let context = Context { tokio_workers: 2, rayon_threads: 2, ..Context::default() };
    let play = |calls: u32, took: f64| {
        let mut inline = 0;
        for _ in 0..calls {
            let (id, arm) = scheduler.choose(KEY, &context);
            inline += u32::from(arm == Arm::InlineTokio);
            scheduler.finish(id, took, Some(took));
        }
        inline
    };
    play(1000, 3.0);
    play(1, f64::MAX);
    play(5000, 3.0);
    assert!(play(1000, 3.0) > 950);
}

#[test]
#[should_panic(expected = "`decay` is 1.5")]
fn knobs_out_of_bounds_are_refused_by_hand_too() {
    let _scheduler = MabScheduler::new(MabKnobs { decay: 1.5, ..MabKnobs::new() });
}

/// Long calls among many sizes: GR1 has to hold although no size is the usual one.
#[test]
fn a_function_of_many_sizes_is_not_taken_for_one_that_changes() {
    let mut function = Played { pressure: 0.0, ..Played::new() };
    let mut long_inline = 0;
    for n in 0_u32..50_000 {
        let modes = [0.4, 1.6, 6.4, 25.6];
        // Well mixed, and the same in each run.
        let drawn = n.wrapping_mul(2_654_435_761) >> 16;
        if drawn % 100 < 3 {
            long_inline += u32::from(function.call(400.0 * US).0 == Arm::InlineTokio);
        } else {
            function.call(modes[(drawn / 100 % 4) as usize] * US);
        }
    }
    assert!(long_inline < 75, "{long_inline} of about 1500");
}

/// Other work may delay the pool's threads; the function is not long for that.
#[test]
fn what_was_long_on_the_pool_alone_bars_nothing_for_ever() {
    let mut function = Played::new();
    let play = |function: &mut Played, calls: u32| {
        (0..calls)
            .filter(|n| {
                let surroundings = Surroundings {
                    workers: 2,
                    pressure: function.pressure,
                    now: function.now,
                    ..Surroundings::CALM
                };
                let (arm, reason) =
                    function.function.decide(0, ComputeHint::Unknown, &surroundings);
                let is_delayed = arm == Arm::OffloadRayon && n % 40 == 39;
                let took = if is_delayed { 400.0 * US } else { 20.0 * US };
                function.now += 21_000;
                if reason.is_some() {
                    function.function.ran(arm, took, function.now);
                }
                if arm == Arm::OffloadRayon {
                    function.function.went(10.0 * US, function.now);
                }
                arm == Arm::InlineTokio
            })
            .count()
    };
    function.pressure = 0.0;
    assert!(play(&mut function, 5000) > 4900);
    function.pressure = 2.5;
    play(&mut function, 5000);
    function.pressure = 0.0;
    // Many calls, since re-tests are few.
    play(&mut function, 80_000);
    let inline = play(&mut function, 5000);
    assert!(inline > 4900, "{inline}");
}
