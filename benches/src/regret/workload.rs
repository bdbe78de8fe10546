//! The calls to decide on, as a program might make them, drawn from a seed.

use crate::statistics::Random;

/// One call, in nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) made: Made,
    /// The cost of the way to the pool and back.
    pub(super) overhead: f64,
}

/// A described stream of calls.
pub(super) struct Workload {
    pub(super) name: &'static str,
    /// Whether the classes of its calls are learned apart.
    pub(super) by_class: bool,
    /// Whether the scheduler should cost less than both fixed arms here.
    pub(super) beats_both: bool,
    /// The highest cost of decisions, as a ratio to the better arm under the same guardrails.
    pub(super) most: f64,
    make: fn(&mut Random, usize) -> Made,
}

/// How many calls are made, and how many at the start do not count.
pub(super) const CALLS: usize = 100_500;
pub(super) const FIRST: usize = 500;
/// The overhead of the pool, in nanoseconds: a random time between these.
const OVERHEAD: [f64; 2] = [7e3, 13e3];

const US: f64 = 1e3;
/// The usual bar.
pub(super) const MOST: f64 = 1.05;
/// The bar where both arms cost nearly the same because of calls that are so rare that the calls which
/// are remembered do not tell the two apart.
pub(super) const MOST_OF_RARE: f64 = 1.15;
/// One task waits behind each caller, unless a workload states another number.
const USUAL: f64 = 1.0;

/// A call, without the way to the pool. Times in nanoseconds.
#[derive(Clone, Copy, Default)]
pub(super) struct Made {
    /// The time that it takes inline.
    pub(super) inline: f64,
    /// The time that it takes on the pool.
    pub(super) pool: f64,
    /// How much of that its thread waits, as for a lock.
    pub(super) waits: f64,
    /// The time that its thread gets no CPU, inline and on the pool; it is not the call's own.
    pub(super) stolen: [f64; 2],
    /// Tasks that are ready behind its caller.
    pub(super) pressure: f64,
    /// How long it would wait for a compute thread.
    pub(super) queue: f64,
    /// The size of its input, as the attribute's `size` would state it; or what a poll follows.
    pub(super) class: u64,
}

/// A call that takes as long on either arm.
fn alike(run_time: f64, pressure: f64) -> Made {
    Made { inline: run_time, pool: run_time, pressure, ..Made::default() }
}

const fn steady(name: &'static str, make: fn(&mut Random, usize) -> Made) -> Workload {
    Workload { name, by_class: false, beats_both: false, most: MOST, make }
}

/// A run time within ten percent of `run_time`.
fn about(random: &mut Random, run_time: f64) -> f64 {
    run_time * (0.9 + 0.2 * random.fraction())
}

fn one_of(random: &mut Random, dear_percent: f64) -> Made {
    let is_dear = random.fraction() * 100.0 < dear_percent;
    let (run_time, class) = if is_dear { (5000.0 * US, 1 << 20) } else { (5.0 * US, 1 << 10) };
    Made { class, ..alike(about(random, run_time), USUAL) }
}

/// Run times that drift from 2 to 200 µs and back, twice.
fn drifting(random: &mut Random, n: usize) -> Made {
    #[expect(clippy::cast_precision_loss, reason = "a share of the way")]
    let way = (n % (CALLS / 2)) as f64 / (CALLS / 2) as f64;
    let up = 1.0 - (2.0 * way - 1.0).abs();
    alike(about(random, 2.0 * US * 100_f64.powf(up)), USUAL)
}

/// A function of 30 µs, with phases in which five tasks wait, and phases in which none waits.
fn bursts(random: &mut Random, n: usize) -> Made {
    alike(about(random, 30.0 * US), if (n / 2000).is_multiple_of(2) { 0.0 } else { 5.0 })
}

/// A function of 75 µs, with phases in which the queue is 40 ms long.
fn queues(random: &mut Random, n: usize) -> Made {
    let queue = if (n / 2000).is_multiple_of(2) { 0.0 } else { 40_000.0 * US };
    Made { queue, ..alike(about(random, 75.0 * US), USUAL) }
}

/// A function of 10 µs, beside other programs that take the CPU for 3 ms: often from the pool.
fn neighbour(random: &mut Random, _: usize) -> Made {
    let mut stolen = |percent| if random.fraction() * 100.0 < percent { 3000.0 * US } else { 0.0 };
    let stolen = [stolen(1.5), stolen(10.0)];
    Made { stolen, ..alike(about(random, 10.0 * US), 0.3) }
}

/// A call that waits for a lock once in a while.
fn lock(random: &mut Random, run_time: f64, percent: f64, wait: f64) -> Made {
    let waits = if random.fraction() * 100.0 < percent { wait } else { 0.0 };
    Made { waits, ..alike(about(random, run_time) + waits, USUAL) }
}

/// Parallel work, which has more threads on the pool.
fn parallel(random: &mut Random, _: usize) -> Made {
    let run_time = about(random, 200.0 * US);
    Made { pool: run_time / 3.0, ..alike(run_time, 0.0) }
}

/// Work whose data is in the caller's cache.
fn cached(random: &mut Random, _: usize) -> Made {
    let run_time = about(random, 30.0 * US);
    Made { pool: run_time * 2.0, ..alike(run_time, 0.8) }
}

/// The polls of a function that awaits, in turn those of one future after another: the first one, 15 that
/// follow the driver of sockets, and 4 that compute, since another task has sent something. Of those that
/// follow the driver, `dear_percent` compute as well: a task has sent something meanwhile.
fn polls(random: &mut Random, n: usize, dear_percent: f64) -> Made {
    let (run_time, class) = match n % 20 {
        0 => (5.0 * US, 0),
        5 | 10 | 15 | 19 => (300.0 * US, 2),
        _ if random.fraction() * 100.0 < dear_percent => (302.0 * US, 1),
        _ => (2.0 * US, 1),
    };
    Made { class, ..alike(about(random, run_time), USUAL) }
}

pub(super) const WORKLOADS: [Workload; 23] = [
    steady("1 µs", |random, _| alike(about(random, US), USUAL)),
    steady("10 µs, as the overhead", |random, _| alike(about(random, 10.0 * US), USUAL)),
    steady("30 µs", |random, _| alike(about(random, 30.0 * US), USUAL)),
    steady("100 µs", |random, _| alike(about(random, 100.0 * US), USUAL)),
    steady("1 ms", |random, _| alike(about(random, 1000.0 * US), USUAL)),
    steady("10 ms", |random, _| alike(about(random, 10_000.0 * US), USUAL)),
    steady("1 % 5 ms, else 5 µs", |random, _| one_of(random, 1.0)),
    steady("5 % 5 ms", |random, _| one_of(random, 5.0)),
    steady("50 % 5 ms", |random, _| one_of(random, 50.0)),
    Workload {
        name: "5 % 5 ms, by size",
        by_class: true,
        beats_both: true,
        most: MOST,
        make: |random, _| one_of(random, 5.0),
    },
    Workload {
        name: "50 % 5 ms, by size",
        by_class: true,
        beats_both: true,
        most: MOST,
        make: |random, _| one_of(random, 50.0),
    },
    Workload {
        by_class: true,
        beats_both: true,
        ..steady("polls of 2 and 300 µs, by wake", |random, n| polls(random, n, 0.0))
    },
    Workload {
        by_class: true,
        beats_both: true,
        ..steady("the same, 0.5 % by another wake", |random, n| polls(random, n, 0.5))
    },
    steady("polls of 2 and 300 µs, any wake", |random, n| polls(random, n, 0.0)),
    Workload { beats_both: true, ..steady("2 to 200 µs and back", drifting) },
    Workload { beats_both: true, ..steady("30 µs, in bursts", bursts) },
    steady("5 µs, preempted once", |random, n| {
        let stolen = [if n == 5 * FIRST { 5000.0 * US } else { 0.0 }; 2];
        Made { stolen, ..alike(about(random, 5.0 * US), USUAL) }
    }),
    Workload { beats_both: true, ..steady("75 µs, queues of 40 ms", queues) },
    steady("10 µs, a busy neighbour", neighbour),
    steady("15 µs, 5 % wait 5 ms", |random, _| lock(random, 15.0 * US, 5.0, 5000.0 * US)),
    Workload {
        most: MOST_OF_RARE,
        ..steady("5 µs, 0.5 % wait 2 ms", |random, _| lock(random, 5.0 * US, 0.5, 2000.0 * US))
    },
    steady("200 µs, a third on the pool", parallel),
    steady("30 µs, twice on the pool", cached),
];

impl Workload {
    pub(super) fn calls(&self, seed: u64) -> Vec<Call> {
        let mut random = Random::new(seed);
        (0..CALLS)
            .map(|n| {
                let made = (self.make)(&mut random, n);
                let [least, most] = OVERHEAD;
                Call { made, overhead: least + (most - least) * random.fraction() }
            })
            .collect()
    }
}

impl Call {
    /// The cost on either arm, to the call itself and to the tasks behind it.
    pub(super) fn cost(&self, is_inline: bool) -> f64 {
        let Made { inline, pool, pressure, queue, .. } = self.made;
        if is_inline { inline * (1.0 + pressure) } else { pool + self.overhead + queue }
    }

    /// How long it seems to take, the CPU time of its thread, and how often that waits.
    pub(super) fn seen(&self, is_inline: bool) -> (f64, f64, u64) {
        let Made { inline, pool, waits, stolen, .. } = self.made;
        let own = if is_inline { inline } else { pool };
        (own + stolen[usize::from(!is_inline)], own - waits, u64::from(waits > 0.0))
    }
}
