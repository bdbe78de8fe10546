//! The measured program: five functions that open-loop load calls, on one kind of runtime.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use loom::{FunctionStats, LoomBuilder, LoomRuntime};
use rustix::time::ClockId;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::machine::cpu_time;
use crate::open_loop::{answer, schedule};
use crate::statistics::percentile;

/// What each function takes, in microseconds, and how often a second it is called at a load of 1.
pub(super) const FUNCTIONS: [(u32, f64); 5] =
    [(2, 2000.0), (37, 800.0), (75, 600.0), (300, 200.0), (2000, 40.0)];
/// Requests a second that only answer; they come last.
const HEALTH: f64 = 500.0;
/// I/O workers, of either kind of runtime.
const WORKERS: usize = 2;
/// The part of the time that comes before what counts.
const WARM_UP: f64 = 0.3;

#[derive(clap::Args)]
pub(crate) struct ProgramOptions {
    #[arg(long)]
    home: Home,
    /// Multiplies the rates.
    #[arg(long)]
    load: f64,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Home {
    /// A runtime of Loom's.
    Loom,
    /// A tokio runtime, with the annotated functions.
    Tokio,
    /// A tokio runtime; functions run where they are called.
    Inline,
    /// A tokio runtime; functions go to `spawn_blocking`.
    Blocking,
}

/// What a run of the program has shown. Times in microseconds.
#[derive(Serialize, Deserialize)]
pub(super) struct Seen {
    /// For each function the share of its calls that were offloaded, or would have been; 0 where Loom has
    /// no part.
    pub(super) offloaded: Vec<f64>,
    /// For each function, and last for what only answers.
    pub(super) p50: Vec<f64>,
    pub(super) p99: Vec<f64>,
}

/// Keeps a CPU busy until the thread has had it for so many microseconds: other programs on the CPU do not
/// make that shorter, nor does a slower CPU make it longer.
fn work(micros: u32) {
    let now = || cpu_time(ClockId::ThreadCPUTime);
    let until = now() + Duration::from_micros(micros.into());
    while now() < until {
        black_box((0..50_u64).fold(1, |sum, step| black_box(sum ^ step)));
    }
}

macro_rules! functions {
    ($($name:ident)*) => { $(
        #[loom::compute]
        fn $name(micros: u32) {
            work(micros);
        }
    )* };
}
functions!(takes_2_us takes_37_us takes_75_us takes_300_us takes_2_ms);

async fn call(function: usize, micros: u32) {
    match function {
        0 => takes_2_us(micros).await,
        1 => takes_37_us(micros).await,
        2 => takes_75_us(micros).await,
        3 => takes_300_us(micros).await,
        _ => takes_2_ms(micros).await,
    }
}

/// Runs the program, and prints what it has seen.
pub(crate) fn program(options: &ProgramOptions) -> Result<(), Box<dyn Error>> {
    let (mut loom, mut tokio): (Option<LoomRuntime>, Option<Runtime>) = (None, None);
    let handle = if options.home == Home::Loom {
        let runtime = LoomBuilder::new().tokio_threads(WORKERS).build()?;
        loom.insert(runtime).tokio_handle().clone()
    } else {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(WORKERS).enable_all().build()?;
        tokio.insert(runtime).handle().clone()
    };
    let warm_up = Duration::from_secs_f64(options.seconds * WARM_UP);
    let rates: Vec<f64> =
        FUNCTIONS.iter().map(|(_, rate)| rate * options.load).chain([HEALTH]).collect();
    let schedule = schedule(&rates, options.seconds, options.seed);
    let home = options.home;
    let took = answer(&handle, &schedule, rates.len(), warm_up, |kind| request(home, kind));
    let stats = loom.as_ref().map_or_else(loom::functions, LoomRuntime::functions);
    let at = |percent| -> Vec<f64> {
        took.iter().map(|of_one| f64::from(percentile(of_one, percent))).collect()
    };
    let (p50, p99) = (at(50.0), at(99.0));
    // The other programs offload nothing.
    let offloaded = match home {
        Home::Loom | Home::Tokio => offloaded(&stats).ok_or("a function was never called")?,
        Home::Inline | Home::Blocking => vec![0.0; FUNCTIONS.len()],
    };
    println!("{}", serde_json::to_string(&Seen { offloaded, p50, p99 })?);
    Ok(())
}

async fn request(home: Home, kind: usize) {
    let Some((micros, _)) = FUNCTIONS.get(kind) else { return };
    match home {
        Home::Loom | Home::Tokio => call(kind, *micros).await,
        Home::Inline => work(*micros),
        Home::Blocking => {
            tokio::task::spawn_blocking(move || work(*micros)).await.unwrap_or_default();
        }
    }
}

/// The share of each function's calls that were offloaded; in the mode `observe`, that would have been.
/// `None` if one was never called.
fn offloaded(stats: &[FunctionStats]) -> Option<Vec<f64>> {
    let names = ["2_us", "37_us", "75_us", "300_us", "2_ms"];
    let share = |name: &str| {
        let stats = stats.iter().find(|stats| stats.name.ends_with(name))?;
        #[expect(clippy::cast_precision_loss, reason = "numbers of calls")]
        let [offloaded, all] = [stats.offloaded + stats.withheld, stats.calls()].map(|n| n as f64);
        Some(offloaded / all)
    };
    names.iter().map(|name| share(&format!("::takes_{name}"))).collect()
}
