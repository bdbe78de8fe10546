//! The measured program: one function under open-loop load, in each placement by turns, beside requests that
//! call none.
//!
//! The turns are short and in one process, since the speed of a shared machine changes within seconds:
//! so each placement meets the same changes.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use loom::{FunctionStats, LoomBuilder};
use rustix::time::ClockId;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::functions::{FUNCTIONS, Work};
use crate::machine::cpu_time;
use crate::open_loop::{answer, schedule};
use crate::statistics::percentile;

/// Requests a second that only answer.
const HEALTH: f64 = 250.0;
/// The rounds that come before what counts.
const WARM_UP: u64 = 2;
/// The most calls a second: one thread makes all requests.
const FASTEST: f64 = 8000.0;
/// A turn takes as long as so many calls take to come, but not longer than `LONGEST` seconds.
const CALLS: f64 = 40.0;
const LONGEST: f64 = 3.0;

#[derive(clap::Args)]
pub(crate) struct ProgramOptions {
    /// The number of the function, and of its size.
    #[arg(long)]
    pub(super) function: usize,
    #[arg(long)]
    pub(super) size: usize,
    /// How much of the machine the function takes, 0 to 1.
    #[arg(long)]
    load: f64,
    #[arg(long)]
    rounds: u64,
    #[arg(long)]
    seconds: f64,
}

#[derive(Clone, Copy)]
enum Home {
    /// A runtime of Loom's, with its defaults, and the attribute alone.
    Loom,
    /// Where it is called, on a tokio runtime.
    Inline,
    /// Tokio's blocking threads.
    Blocking,
    /// Rayon's global pool, and a channel for the result.
    Rayon,
}

/// Loom, and the fixed placements.
pub(super) const HOMES: usize = 4;
const ALL: [Home; HOMES] = [Home::Loom, Home::Inline, Home::Blocking, Home::Rayon];

/// What the program prints.
#[derive(Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) rounds: Vec<Round>,
    /// The share of the calls that Loom offloaded.
    pub(super) offloaded: f64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Round {
    /// Microseconds that the function took alone before this round.
    pub(super) micros: f64,
    /// By placement.
    pub(super) seen: [Seen; HOMES],
}

/// What a turn has shown, in microseconds: of the function, and of requests that call none.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) calls: usize,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) health_p99: f64,
    /// The CPU time of the whole program, by calls.
    pub(super) cpu: f64,
}

#[loom::compute]
fn placed(work: Work) -> usize {
    work()
}

/// What a function takes alone, in microseconds: the median of runs that take a tenth of a second, at
/// least five.
fn alone(work: &Work) -> f64 {
    let mut took = Vec::new();
    let since = Instant::now();
    while took.len() < 5 || since.elapsed() < Duration::from_millis(100) {
        let started = Instant::now();
        black_box(work());
        took.push(started.elapsed().as_secs_f64() * 1e6);
    }
    crate::statistics::median(&mut took)
}

async fn request(home: Home, work: Option<Work>) {
    let Some(work) = work else { return };
    let result = match home {
        Home::Loom => placed(work).await,
        Home::Inline => work(),
        Home::Blocking => tokio::task::spawn_blocking(move || work()).await.unwrap_or(0),
        Home::Rayon => {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            // The receiver is there until it has the result.
            rayon::spawn(move || {
                let _ = sender.send(work());
            });
            receiver.await.unwrap_or(0)
        }
    };
    black_box(result);
}

/// Calls a second for a load on so many CPUs.
pub(super) fn rate(load: f64, micros: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
    let cpus = std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64);
    (load * cpus * 1e6 / micros).min(FASTEST)
}

/// One turn of one placement. It ends when all requests have been answered.
fn turn(home: Home, handle: &Handle, work: &Work, schedule: &[(Duration, usize)]) -> Seen {
    let made = |kind| request(home, (kind == 0).then(|| Work::clone(work)));
    let before = cpu_time(ClockId::ProcessCPUTime);
    let took = answer(handle, schedule, 2, Duration::ZERO, made);
    let spent = cpu_time(ClockId::ProcessCPUTime).saturating_sub(before);
    let at = |kind: usize, percent: f64| f64::from(percentile(&took[kind], percent));
    let calls = took[0].len();
    #[expect(clippy::cast_precision_loss, reason = "a number of calls")]
    let cpu = spent.as_secs_f64() * 1e6 / calls.max(1) as f64;
    Seen { calls, p50: at(0, 50.0), p99: at(0, 99.0), health_p99: at(1, 99.0), cpu }
}

/// Runs the program, and prints what it has seen.
pub(crate) fn program(options: &ProgramOptions) -> Result<(), Box<dyn Error>> {
    let function = FUNCTIONS.get(options.function).ok_or("no such function")?;
    let work = (function.make)(*function.sizes.get(options.size).ok_or("no such size")?)?;
    let of_loom = LoomBuilder::new().build()?;
    let of_tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rounds = Vec::new();
    for round in 0..WARM_UP + options.rounds {
        // The load is made of what the function takes now.
        let micros = alone(&work);
        let rate = rate(options.load, micros);
        let seconds = (CALLS / rate).min(LONGEST).max(options.seconds);
        let schedule = schedule(&[rate, HEALTH], seconds, round + 1);
        let mut seen = [Seen::default(); HOMES];
        for at in 0..HOMES {
            // Each round begins with another placement.
            let at = (usize::try_from(round)? + at) % HOMES;
            let handle = match ALL[at] {
                Home::Loom => of_loom.tokio_handle(),
                Home::Inline | Home::Blocking | Home::Rayon => of_tokio.handle(),
            };
            seen[at] = turn(ALL[at], handle, &work, &schedule);
        }
        if round >= WARM_UP {
            rounds.push(Round { micros, seen });
        }
    }
    let share = of_loom.functions().first().and_then(FunctionStats::inline_share);
    let offloaded = share.map_or(0.0, |inline| 1.0 - inline);
    println!("{}", serde_json::to_string(&Outcome { rounds, offloaded })?);
    Ok(())
}
