//! Calls on three arms, on a simulated clock: where nothing is inline, the pool and the fleet, each with its
//! queue. What the choice costs is compared with the better of both for all calls.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::far::{FarRecord, FarTimes};

const MS: f64 = 1e6;
/// The way to the pool and back.
const POOL: f64 = 10e3;
const CALLS: u32 = 5_000;
/// As a caller waits after a worker that was full.
const CLOSED: u64 = 2_000_000;

/// A fleet and its caller, times in nanoseconds.
#[derive(Clone, Copy)]
struct Case {
    /// The load of the caller's threads, if all calls stay.
    load: f64,
    run_time: f64,
    threads: usize,
    way: f64,
    far_threads: usize,
    /// How many calls the fleet has at a time, those that wait included.
    most: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Policy {
    Stay,
    Go,
    Loom,
}

/// When each thread is free again.
struct Threads(Vec<f64>);

impl Threads {
    /// A call that comes at `at`: when it starts.
    fn start(&self, at: f64) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min).max(at)
    }

    fn takes(&mut self, start: f64, run_time: f64) {
        let first = self.0.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("there are some");
        *first = start + run_time;
    }

    /// How many have not ended.
    fn busy(&self, at: f64, run_time: f64) -> usize {
        let left: f64 = self.0.iter().map(|free| (free - at).max(0.0)).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let calls = (left / run_time).ceil() as usize;
        calls
    }
}

fn time(nanos: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
    let time = nanos as u64;
    time
}

/// The mean time of a call.
fn played(case: Case, policy: Policy, seed: u64) -> f64 {
    let Case { load, run_time, threads, way, far_threads, most } = case;
    let (mut here, mut there) = (Threads(vec![0.0; threads]), Threads(vec![0.0; far_threads]));
    let record = FarRecord::default();
    // Answers that are under way, the earliest first: when they come, and what the call waited.
    let mut answers = BinaryHeap::<Reverse<(u64, u64)>>::new();
    let (mut random, mut now, mut sum) = (seed, 0.0, 0.0);
    #[expect(clippy::cast_precision_loss, reason = "few threads")]
    let between = run_time / (load * threads as f64);
    for _ in 0..CALLS {
        // Marsaglia's xorshift, and exponential times between calls.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let uniform = ((random >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        now -= between * uniform.ln();
        while let Some(Reverse((at, waited))) = answers.peek().copied()
            && at <= time(now)
        {
            answers.pop();
            record.ends();
            #[expect(clippy::cast_precision_loss, reason = "times of seconds")]
            let waited = waited as f64;
            record.answered(FarTimes { all: way + waited + run_time, ran: run_time, waited }, at);
        }
        let stays = POOL + here.start(now) - now + run_time;
        let goes = match policy {
            Policy::Stay => false,
            Policy::Go => true,
            Policy::Loom => record.known(time(now)).is_some_and(|far| far.cost(run_time) < stays),
        };
        let mut begins = now;
        if goes && (policy == Policy::Go || there.busy(now + way / 2.0, run_time) < most) {
            let arrives = now + way / 2.0;
            let start = there.start(arrives);
            there.takes(start, run_time);
            let waited = start - arrives;
            record.begins();
            let took = way + waited + run_time;
            answers.push(Reverse((time(now + took), time(waited))));
            sum += took;
            continue;
        }
        if goes {
            // It was refused, and comes back.
            record.closes(CLOSED, time(now + way));
            begins += way;
        }
        let start = here.start(begins + POOL);
        here.takes(start, run_time);
        sum += start + run_time - now;
    }
    sum / f64::from(CALLS)
}

#[test]
fn the_choice_costs_little_more_than_the_better_place() {
    let mut worst = (0.0, String::new());
    for load in [0.3, 0.7, 0.95, 1.3, 2.0] {
        for run_time in [MS, 5.0 * MS, 50.0 * MS] {
            for way in [0.3 * MS, 2.0 * MS, 20.0 * MS] {
                for far_threads in [1, 2, 8] {
                    let threads = 2;
                    let most = 2 * far_threads;
                    let case = Case { load, run_time, threads, way, far_threads, most };
                    let mean =
                        |policy| (1..=2).map(|seed| played(case, policy, seed * 7919)).sum::<f64>();
                    let better = mean(Policy::Stay).min(mean(Policy::Go));
                    let ratio = mean(Policy::Loom) / better;
                    let told = format!(
                        "load {load}, {} ms runs, {} ms of way, {far_threads} far threads: {ratio:.3}",
                        run_time / MS,
                        way / MS
                    );
                    println!("{told}");
                    if ratio > worst.0 {
                        worst = (ratio, told);
                    }
                }
            }
        }
    }
    assert!(worst.0 <= 1.05, "{}", worst.1);
}

/// Where both together bear what one of them does not.
#[test]
fn a_caller_at_twice_its_load_and_its_fleet_answer_in_time() {
    let case =
        Case { load: 2.0, run_time: 5.0 * MS, threads: 1, way: 0.4 * MS, far_threads: 2, most: 4 };
    let mean = |policy| played(case, policy, 7919) / MS;
    let (alone, with) = (mean(Policy::Stay), mean(Policy::Loom));
    // Alone, half of the calls wait without end; so the answers in time are twice as many.
    assert!(alone > 1000.0 && with < 15.0, "{alone} {with}");
}
