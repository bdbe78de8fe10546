//! Each explanation's numbers satisfy what its sentence says.

use std::time::Duration;

use super::super::decide::{Caller, Conditions};
use super::super::overhead::Belief;
use super::super::thread_stats::Moment;
use super::super::{
    Arm, ComputeHint, MabKnobs, Reason, Record, Run, ThreadStats, Used, Verdict, Wake, duration,
};

/// Random numbers from a seed (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        #[expect(clippy::cast_possible_truncation, reason = "an index")]
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Between the powers of ten, each magnitude as often as another.
    fn magnitude(&mut self, least: i32, most: i32) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "20 bits")]
        let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
        10_f64.powf(f64::from(least) + f64::from(most - least) * share)
    }
}

/// A function that some calls were measured of, and the verdict on the next one.
fn drawn(random: &mut Random) -> Verdict {
    let (knobs, record) = (MabKnobs::new(), Record::default());
    let stats = ThreadStats::new(random.below(1 << 32));
    let hint = random.one_of(&ComputeHint::ALL);
    if random.below(8) == 0 {
        record.prime(&[(1.0, random.magnitude(3, 7))]);
    }
    let usual = random.magnitude(3, 7);
    let rare = random.one_of(&[1, 50, 200, u64::MAX]);
    let arms = random.one_of(&[
        &[Arm::InlineTokio][..],
        &[Arm::OffloadRayon],
        &[Arm::InlineTokio, Arm::OffloadRayon],
    ]);
    for n in 0..random.one_of(&[0, 1, 3, 20, 400]) {
        let is_rare = random.below(rare) == 0;
        let nanos = usual * if is_rare { 50.0 } else { 0.9 + random.magnitude(-2, -1) };
        let used = match random.below(10) {
            0 => Used::Cpu(duration(usual), 1),
            1 => Used::Cpu(duration(nanos), 0),
            _ => Used::All,
        };
        let run = Run { used, ..Run::of_nanos(nanos) };
        record.observe(&knobs, random.one_of(arms), run, n * 100_000);
    }
    let callers = [Caller::Io(2), Caller::Io(1), Caller::LocalCore, Caller::Outside];
    let conditions = Conditions {
        caller: random.one_of(&callers),
        forced: None,
        is_overridden: false,
        is_observed: random.below(4) == 0,
        is_refused: random.below(50) == 0,
        is_limited: false,
        overhead: Belief { mean: random.magnitude(3, 5), deviation: random.magnitude(2, 4) },
        overhead_age: random.one_of(&[None, Some(0), Some(1_000_000_000)]),
        queue: random.one_of(&[0.0, 40e3, 40e6]),
        pressure: random.one_of(&[0.0, 0.3, 0.501, 1.0, 3.001, 8.0]),
        arrivals: random.one_of(&[0.0, 1e-6]),
    };
    let at = Moment { pressure_level: 0, now: 50_000_000, tick: 0 };
    for _ in 0..random.below(4) {
        stats.decide(&record, &knobs, &conditions, hint, at);
    }
    stats.decide(&record, &knobs, &conditions, hint, at);
    let after = random.one_of(&Wake::ALL);
    // GR4 is of calls alone.
    let after = (!conditions.is_refused && random.below(2) == 0).then_some(after);
    record.verdict(at.now).expect("it was drawn").after(after)
}

/// The number that ends where `text` has these words.
fn number_before(text: &str, words: &str) -> f64 {
    let (before, _) = text.split_once(words).unwrap_or_else(|| panic!("`{words}`: {text}"));
    let number = before.rsplit(' ').next().expect("a split has a part");
    number.parse().unwrap_or_else(|_| panic!("`{number}` before `{words}`: {text}"))
}

fn number_after(text: &str, words: &str) -> f64 {
    let (_, after) = text.split_once(words).unwrap_or_else(|| panic!("`{words}`: {text}"));
    let number = after.split([' ', ',']).next().expect("a split has a part");
    number.trim_end_matches('.').parse().unwrap_or_else(|_| panic!("`{number}`: {text}"))
}

fn check_too_long(verdict: &Verdict, text: &str) {
    if text.contains("on average") {
        assert!(verdict.run_time >= verdict.limit, "{text}");
    } else {
        let of_all = if verdict.after.is_some() { " % of the polls" } else { " % of the calls" };
        assert!(number_before(text, of_all) > number_before(text, " % may"), "{text}");
        assert!(verdict.tail > 0.01, "{text}");
    }
}

fn check_busy(text: &str) {
    assert!(number_before(text, " tasks are ready") > number_after(text, "more than "), "{text}");
}

fn check(verdict: &Verdict) {
    let text = verdict.explain();
    match verdict.after {
        None => assert!(!text.contains("poll"), "{text}"),
        Some(wake) => {
            assert!(text.contains(&format!("the function's {}. ", wake.polls())), "{text}");
            let of_calls = text.replace("the runtime that called", "").replace("the caller", "");
            assert!(!of_calls.contains("call"), "{text}");
        }
    }
    let observes = verdict.is_observed && verdict.arm == Arm::OffloadRayon;
    assert_eq!(text.contains("only observes"), observes, "{text}");
    let Verdict { inline_cost, offload_cost, run_time, pool_time, overhead, queue, .. } = *verdict;
    let all = pool_time + overhead + queue;
    assert!(offload_cost.abs_diff(all) < Duration::from_nanos(20), "{verdict:?}");
    assert!(inline_cost + Duration::from_nanos(1) >= run_time, "{verdict:?}");
    let [own, other] = match verdict.arm {
        Arm::InlineTokio => [inline_cost, offload_cost],
        Arm::OffloadRayon => [offload_cost, inline_cost],
    };
    match verdict.reason {
        Reason::Cost if text.contains("arm is cheaper") => assert!(own <= other, "{text}"),
        Reason::Cost => assert!(own > other && text.contains("was drawn although"), "{text}"),
        Reason::Unknown => {
            assert_eq!(text.contains("has not been measured"), run_time.is_zero(), "{text}");
        }
        Reason::LoneWorker => {
            assert!(verdict.workers.is_none_or(|workers| workers <= 1), "{text}");
            assert_eq!(verdict.workers.is_some(), text.contains("has one I/O worker"), "{text}");
            if text.contains("tasks are ready") {
                check_busy(&text);
            } else {
                check_too_long(verdict, &text);
            }
        }
        Reason::HardCap => check_too_long(verdict, &text),
        Reason::Pressure => {
            check_busy(&text);
            check_too_long(verdict, &text);
        }
        Reason::Strikes => {
            let strikes = number_before(&text, " strikes");
            assert!(strikes > number_after(&text, "more than "), "{text}");
        }
        Reason::Refused => assert!(text.contains("GR4: "), "{text}"),
        other => panic!("{other:?} is not drawn here"),
    }
    if text.contains("counts for") {
        let share = number_after(&text, "counts for ");
        let measured = verdict.samples.iter().sum::<f64>();
        assert!((1.0..100.0).contains(&share) && (0.1..8.0).contains(&measured), "{text}");
    }
    if text.contains("no inline call is remembered") || text.contains("no inline poll is") {
        assert!(verdict.samples[0] < 0.2, "{text}");
    }
    if text.contains("It waits") {
        assert!(number_before(&text, " gave up") * 20.0 > number_before(&text, " runs that"));
    }
}

#[test]
fn the_numbers_of_an_explanation_satisfy_its_sentence() {
    let mut random = Random(0x5eed);
    let mut seen = Vec::new();
    for _ in 0..4_000 {
        let verdict = drawn(&mut random);
        check(&verdict);
        seen.push(verdict.reason);
    }
    for reason in Reason::ALL {
        let is_drawn = !matches!(
            reason,
            Reason::Retest
                | Reason::OnComputeThread
                | Reason::NoPool
                | Reason::Told
                | Reason::Overridden
        );
        assert_eq!(seen.contains(&reason), is_drawn, "{reason}");
    }
}

#[test]
fn a_models_figure_is_told_from_a_measurement() {
    let (knobs, record) = (MabKnobs::new(), Record::default());
    for n in 0..50 {
        record.observe(&knobs, Arm::OffloadRayon, Run::of_nanos(54e6), n);
    }
    let conditions = Conditions {
        caller: Caller::Io(2),
        forced: Some(Arm::OffloadRayon),
        is_overridden: false,
        is_observed: false,
        is_refused: false,
        is_limited: false,
        overhead: Belief { mean: 10e3, deviation: 0.0 },
        overhead_age: Some(0),
        queue: 0.0,
        pressure: 9.6,
        arrivals: 0.0,
    };
    let at = Moment { pressure_level: 0, now: 1_000_000, tick: 0 };
    ThreadStats::new(1).decide(&record, &knobs, &conditions, ComputeHint::Unknown, at);
    let told = record.verdict(1_000_000).expect("it was drawn");
    let verdict = Verdict { reason: Reason::Cost, ..told };
    assert_eq!(
        verdict.explain(),
        "The offload arm is cheaper: an inline call is expected to cost 572.4ms: 54.0ms of its own \
         (as measured on the pool; no inline call is remembered), and 518.4ms for the tasks that wait \
         meanwhile (9.6 are ready behind it); an offloaded call 54.0ms: 54.0ms on the pool \
         (measured), 10.0µs for the way there and back (measured)."
    );
    assert_eq!(
        verdict.to_string(),
        "offload (cheaper): 572.40ms inline, 54.01ms offloaded; overhead 10.00µs, queue 0.00ns, \
         pressure 9.60; 0 + 49 samples, drawn 0ns ago"
    );
}
