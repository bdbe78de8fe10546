//! The calls to decide on, as a program might make them, drawn from a seed.

use crate::statistics::Random;

/// One call, in nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Call {
    /// The time that it takes.
    pub(super) run_time: f64,
    /// The time that it seems to take, which is longer if it is preempted.
    pub(super) seems: f64,
    /// The cost of the way to the pool and back.
    pub(super) overhead: f64,
    /// Tasks that are ready behind its caller.
    pub(super) pressure: f64,
    /// The size of its input, as the attribute's `size` would state it.
    pub(super) size: u64,
}

/// A described stream of calls.
pub(super) struct Workload {
    pub(super) name: &'static str,
    /// Whether it is learned by size.
    pub(super) is_sized: bool,
    /// Whether the scheduler should cost less than both fixed arms here.
    pub(super) beats_both: bool,
    make: fn(&mut Random, usize) -> (f64, f64, u64),
}

/// How many calls are made, and how many at the start do not count.
pub(super) const CALLS: usize = 100_500;
pub(super) const FIRST: usize = 500;
/// The overhead of the pool, in nanoseconds: a random time between these.
const OVERHEAD: [f64; 2] = [7e3, 13e3];

const US: f64 = 1e3;
/// One task waits behind each caller, unless a workload states another number.
const USUAL: f64 = 1.0;

/// Run time, pressure and size of the n-th call.
type Made = (f64, f64, u64);

const fn steady(name: &'static str, make: fn(&mut Random, usize) -> Made) -> Workload {
    Workload { name, is_sized: false, beats_both: false, make }
}

/// A run time within ten percent of `run_time`.
fn about(random: &mut Random, run_time: f64) -> f64 {
    run_time * (0.9 + 0.2 * random.fraction())
}

fn one_of(random: &mut Random, dear_percent: f64) -> Made {
    let is_dear = random.fraction() * 100.0 < dear_percent;
    let (run_time, size) = if is_dear { (5000.0 * US, 1 << 20) } else { (5.0 * US, 1 << 10) };
    (about(random, run_time), USUAL, size)
}

/// Run times that drift from 2 to 200 µs and back, twice.
fn drifting(random: &mut Random, n: usize) -> Made {
    #[expect(clippy::cast_precision_loss, reason = "a share of the way")]
    let way = (n % (CALLS / 2)) as f64 / (CALLS / 2) as f64;
    let up = 1.0 - (2.0 * way - 1.0).abs();
    (about(random, 2.0 * US * 100_f64.powf(up)), USUAL, 0)
}

/// A function of 30 µs, with phases in which five tasks wait, and phases in which none waits.
fn bursts(random: &mut Random, n: usize) -> Made {
    (about(random, 30.0 * US), if (n / 2000).is_multiple_of(2) { 0.0 } else { 5.0 }, 0)
}

pub(super) const WORKLOADS: [Workload; 14] = [
    steady("1 µs", |random, _| (about(random, US), USUAL, 0)),
    steady("10 µs, as the overhead", |random, _| (about(random, 10.0 * US), USUAL, 0)),
    steady("30 µs", |random, _| (about(random, 30.0 * US), USUAL, 0)),
    steady("100 µs", |random, _| (about(random, 100.0 * US), USUAL, 0)),
    steady("1 ms", |random, _| (about(random, 1000.0 * US), USUAL, 0)),
    steady("10 ms", |random, _| (about(random, 10_000.0 * US), USUAL, 0)),
    steady("1 % 5 ms, else 5 µs", |random, _| one_of(random, 1.0)),
    steady("5 % 5 ms", |random, _| one_of(random, 5.0)),
    steady("50 % 5 ms", |random, _| one_of(random, 50.0)),
    Workload {
        name: "5 % 5 ms, by size",
        is_sized: true,
        beats_both: true,
        make: |random, _| one_of(random, 5.0),
    },
    Workload {
        name: "50 % 5 ms, by size",
        is_sized: true,
        beats_both: true,
        make: |random, _| one_of(random, 50.0),
    },
    Workload { beats_both: true, ..steady("2 to 200 µs and back", drifting) },
    Workload { beats_both: true, ..steady("30 µs, in bursts", bursts) },
    steady("5 µs, preempted once", |random, _| (about(random, 5.0 * US), USUAL, 0)),
];

impl Workload {
    pub(super) fn calls(&self, seed: u64) -> Vec<Call> {
        let mut random = Random::new(seed);
        (0..CALLS)
            .map(|n| {
                let (run_time, pressure, size) = (self.make)(&mut random, n);
                let [least, most] = OVERHEAD;
                let overhead = least + (most - least) * random.fraction();
                let is_preempted = self.name.ends_with("once") && n == 5 * FIRST;
                let seems = if is_preempted { 5000.0 * US } else { run_time };
                Call { run_time, seems, overhead, pressure, size }
            })
            .collect()
    }
}

impl Call {
    /// The cost on either arm, to the call itself and to the tasks behind it.
    pub(super) fn cost(&self, is_inline: bool) -> f64 {
        if is_inline {
            self.run_time * (1.0 + self.pressure)
        } else {
            self.run_time + self.overhead
        }
    }
}
