//! One sample: one contender in one scenario, in a process of its own.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use loom::ComputeHint;
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;

use crate::allocations;
use crate::contenders::{Contender, Visit, make};
use crate::work::burn;

/// How long calls are made before they count.
const WARM_UP: Duration = Duration::from_millis(30);
/// Decisions before those that count; the function is settled after them.
const FIRST_DECISIONS: u64 = 20_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    contender: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, clap::Subcommand)]
enum What {
    /// `callers` tasks that each make one call after another, for `millis` milliseconds.
    Calls { callers: usize, micros: u64, millis: u64 },
    /// One task that runs two pieces of work at the same time, again and again.
    Pairs { micros: u64, millis: u64 },
    /// `workers` concurrent tasks that each make `calls` calls of almost no work.
    Decisions { workers: usize, calls: u64 },
}

/// The figures of a sample, per call.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Wall time divided by the calls of all tasks; for decisions, by the calls of one worker.
    pub(crate) nanos: f64,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let seen = make(&options.contender, options.what.clone());
    let seen = seen.ok_or_else(|| format!("no contender is called `{}`", options.contender))?;
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

impl Visit for What {
    type Output = Seen;

    fn visit<C: Contender>(self, contender: C) -> Seen {
        let contender = Arc::new(contender);
        match self {
            Self::Calls { callers, micros, millis } => {
                let work = Duration::from_micros(micros);
                let run = |length| calls(&contender, callers, work, length);
                measured(run, Duration::from_millis(millis))
            }
            Self::Pairs { micros, millis } => {
                let work = Duration::from_micros(micros);
                measured(|length| pairs(&contender, work, length), Duration::from_millis(millis))
            }
            Self::Decisions { workers, calls } => {
                contender.tokio().block_on(decisions(&contender, workers, calls))
            }
        }
    }
}

/// The figures of a run of `length`, after a warm-up. `run` returns the number of calls, and the
/// time that they took.
fn measured(run: impl Fn(Duration) -> (u64, Duration), length: Duration) -> Seen {
    run(WARM_UP);
    let (allocations, bytes) = (allocations::count(), allocations::bytes());
    let (made, took) = run(length);
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let each = |figure: u64| figure as f64 / made.max(1) as f64;
    Seen {
        nanos: took.as_secs_f64() * 1e9 * each(1),
        allocations: each(allocations::count() - allocations),
        bytes: each(allocations::bytes() - bytes),
    }
}

/// Makes calls until the time is over. Returns their number, and the time until the last one ended.
pub(crate) fn calls<C: Contender>(
    contender: &Arc<C>,
    callers: usize,
    work: Duration,
    length: Duration,
) -> (u64, Duration) {
    let tokio = contender.tokio();
    let is_over = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (contender, is_over) = (Arc::clone(contender), Arc::clone(&is_over));
            // Within a task, since `block_on` would measure the wake-up of the calling thread.
            tokio.spawn(async move {
                let mut made = 0;
                while !is_over.load(Ordering::Relaxed) {
                    black_box(contender.call(ComputeHint::High, move || burn(work)).await);
                    made += 1;
                    if made % 64 == 0 {
                        // Otherwise a contender that never waits would block the other tasks.
                        tokio::task::consume_budget().await;
                    }
                }
                made
            })
        })
        .collect();
    std::thread::sleep(length);
    is_over.store(true, Ordering::Relaxed);
    let made = tasks.into_iter().map(|task| tokio.block_on(task).expect("nobody panics")).sum();
    (made, started.elapsed())
}

fn pairs<C: Contender>(contender: &Arc<C>, work: Duration, length: Duration) -> (u64, Duration) {
    let tokio = contender.tokio();
    let is_over = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let task = {
        let (contender, is_over) = (Arc::clone(contender), Arc::clone(&is_over));
        tokio.spawn(async move {
            let mut made = 0;
            while !is_over.load(Ordering::Relaxed) {
                black_box(contender.pair(work).await);
                made += 1;
            }
            made
        })
    };
    std::thread::sleep(length);
    is_over.store(true, Ordering::Relaxed);
    let made = tokio.block_on(task).expect("nobody panics");
    (made, started.elapsed())
}

/// Runs `workers` tasks that make calls at the same time.
async fn decisions<C: Contender>(contender: &Arc<C>, workers: usize, calls: u64) -> Seen {
    let together = Arc::new(Barrier::new(workers));
    let tasks: Vec<_> = (0..workers)
        .map(|_| {
            let (contender, together) = (Arc::clone(contender), Arc::clone(&together));
            contender.tokio().spawn(async move {
                decide(&*contender, FIRST_DECISIONS).await;
                together.wait().await;
                // These calls give each task the time to get a worker of its own.
                decide(&*contender, FIRST_DECISIONS).await;
                let before = allocations::count();
                let took = decide(&*contender, calls).await;
                (took, allocations::count() - before)
            })
        })
        .collect();
    let (mut took, mut allocated) = (Duration::ZERO, 0);
    for task in tasks {
        let (of_task, allocations) = task.await.expect("no panic");
        took += of_task;
        allocated += allocations;
    }
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let made = (calls * workers as u64) as f64;
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let allocations = allocated as f64 / made;
    Seen { nanos: took.as_secs_f64() * 1e9 / made, allocations, bytes: 0.0 }
}

/// Makes calls that take almost no time, one after another.
async fn decide<C: Contender>(contender: &C, calls: u64) -> Duration {
    let started = Instant::now();
    let mut sum = 0_u64;
    for n in 0..calls {
        sum = sum.wrapping_add(contender.call(ComputeHint::Low, move || next(n)).await);
    }
    black_box(sum);
    started.elapsed()
}

/// Work that the compiler cannot optimize away.
#[inline(never)]
fn next(n: u64) -> u64 {
    black_box(n).wrapping_add(1)
}
