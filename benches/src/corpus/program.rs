//! The measured program: one function under open-loop load, in one placement, beside requests that call
//! none.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use loom::{FunctionStats, LoomBuilder};
use serde::{Deserialize, Serialize};

use super::functions::{FUNCTIONS, Work};
use crate::open_loop::{answer, schedule};
use crate::statistics::percentile;

/// Requests a second that only answer.
const HEALTH: f64 = 250.0;
/// The part of the time that comes before what counts.
const WARM_UP: f64 = 0.3;
/// The most calls a second: one thread makes all requests.
const FASTEST: f64 = 8000.0;

#[derive(clap::Args)]
pub(crate) struct ProgramOptions {
    /// The number of the function, and of its size.
    #[arg(long)]
    pub(super) function: usize,
    #[arg(long)]
    pub(super) size: usize,
    #[arg(long)]
    home: Home,
    /// How much of the machine the function takes, 0 to 1.
    #[arg(long)]
    load: f64,
    /// Microseconds that the function takes alone.
    #[arg(long)]
    micros: f64,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Home {
    /// A runtime of Loom's, with its defaults, and the attribute alone.
    Loom,
    /// Where it is called, on a tokio runtime.
    Inline,
    /// Tokio's blocking threads.
    Blocking,
    /// Rayon's global pool, and a channel for the result.
    Rayon,
}

/// What a run has shown, in microseconds: of the function, and of requests that call none.
#[derive(Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) calls: usize,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) health_p99: f64,
    /// The share of the calls that Loom offloaded.
    pub(super) offloaded: f64,
}

#[loom::compute]
fn placed(work: Work) -> usize {
    work()
}

/// What a function takes alone, in microseconds: the median of runs that take a fifth of a second, at
/// least five.
pub(super) fn alone(work: &Work) -> f64 {
    let mut took = Vec::new();
    let since = Instant::now();
    while took.len() < 5 || since.elapsed() < Duration::from_millis(200) {
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

/// Runs the program, and prints what it has seen.
pub(crate) fn program(options: &ProgramOptions) -> Result<(), Box<dyn Error>> {
    let function = FUNCTIONS.get(options.function).ok_or("no such function")?;
    let work = (function.make)(*function.sizes.get(options.size).ok_or("no such size")?)?;
    let rates = [rate(options.load, options.micros), HEALTH];
    let schedule = schedule(&rates, options.seconds, options.seed);
    let warm_up = Duration::from_secs_f64(options.seconds * WARM_UP);
    let home = options.home;
    let made = |kind| request(home, (kind == 0).then(|| Work::clone(&work)));
    let (took, offloaded) = if home == Home::Loom {
        let runtime = LoomBuilder::new().build()?;
        let took = answer(runtime.tokio_handle(), &schedule, rates.len(), warm_up, made);
        let share = runtime.functions().first().and_then(FunctionStats::inline_share);
        (took, share.map_or(0.0, |inline| 1.0 - inline))
    } else {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        (answer(runtime.handle(), &schedule, rates.len(), warm_up, made), 0.0)
    };
    let at = |kind: usize, percent: f64| f64::from(percentile(&took[kind], percent));
    let seen = Seen {
        calls: took[0].len(),
        p50: at(0, 50.0),
        p99: at(0, 99.0),
        health_p99: at(1, 99.0),
        offloaded,
    };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}
