//! `loom-bench decide`: what a call costs that is not moved, beyond the function itself.
//!
//! Each sample is a process of its own, in which tasks call a function that does next to
//! nothing, on one I/O worker or on two at once.

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::{LoomBuilder, LoomRuntime};
use tokio::runtime::Handle;
use tokio::sync::Barrier;

use crate::allocations;
use crate::statistics::{Estimate, median};

/// In the order of the table; the first is what the others are compared with.
const CONTENDERS: [&str; 5] =
    ["direct", "attribute", "spawn_adaptive", "by handle", "loom-rs spawn_adaptive"];
const WORKERS: [usize; 2] = [1, 2];
/// Calls before those that count: the function has settled by then.
const WARM_UP: u64 = 20_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round: shows that the bench works, not what anything costs.
    #[arg(long)]
    quick: bool,
    /// How many rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

#[derive(clap::Args)]
pub(crate) struct SampleOptions {
    #[arg(long)]
    contender: String,
    #[arg(long)]
    workers: usize,
    #[arg(long)]
    calls: u64,
}

/// What the compiler cannot see through, and takes next to no time.
#[inline(never)]
fn plain(n: u64) -> u64 {
    black_box(n).wrapping_add(1)
}

#[loom::compute(hint = "low")]
#[inline(never)]
fn annotated(n: u64) -> u64 {
    black_box(n).wrapping_add(1)
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (rounds, calls) = if options.quick { (1, 100_000) } else { (options.rounds, 12_000_000) };
    let mut nanos = vec![vec![Vec::new(); CONTENDERS.len()]; WORKERS.len()];
    let mut allocated = vec![vec![0; CONTENDERS.len()]; WORKERS.len()];
    for round in 0..rounds {
        for (w, workers) in WORKERS.into_iter().enumerate() {
            for turn in 0..CONTENDERS.len() {
                let c = (turn + round) % CONTENDERS.len();
                // It offloads all of them in some runs, and then takes minutes for as many.
                let calls = if CONTENDERS[c].starts_with("loom-rs") { calls / 20 } else { calls };
                let (seen, allocations) = one(CONTENDERS[c], workers, calls)?;
                nanos[w][c].push(seen);
                allocated[w][c] = allocated[w][c].max(allocations);
            }
        }
    }
    println!(
        "{rounds} interleaved rounds of {calls} calls a worker, of loom-rs a twentieth; medians.\n"
    );
    println!(
        "| | ns a call | beyond the direct call | with 2 workers, calls at once | allocations |"
    );
    println!("|---|---:|---:|---:|---:|");
    for (c, name) in CONTENDERS.into_iter().enumerate() {
        let beyond: Vec<f64> =
            nanos[0][c].iter().zip(&nanos[0][0]).map(|(a, direct)| a - direct).collect();
        let faster: Vec<f64> =
            nanos[0][c].iter().zip(&nanos[1][c]).map(|(one, two)| 2.0 * one / two).collect();
        let (beyond, faster) = (Estimate::of(&beyond), Estimate::of(&faster));
        println!(
            "| {name} | {:.1} | {:.1} ({:.1} to {:.1}) | {:.2} ({:.2} to {:.2}) | {} |",
            median(&mut nanos[0][c].clone()),
            beyond.median,
            beyond.low,
            beyond.high,
            faster.median,
            faster.low,
            faster.high,
            allocated[0][c].max(allocated[1][c]),
        );
    }
    Ok(())
}

fn one(contender: &str, workers: usize, calls: u64) -> Result<(f64, u64), Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["decide-sample", "--contender", contender])
        .args(["--workers", &workers.to_string(), "--calls", &calls.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the sample of {contender} failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A way to call.
trait Caller: Clone + Send + Sync + 'static {
    fn call(&self, n: u64) -> impl Future<Output = u64> + Send;
}

#[derive(Clone)]
struct Direct;
#[derive(Clone)]
struct Attribute;
#[derive(Clone)]
struct Free;
#[derive(Clone)]
struct ByHandle(LoomRuntime);
#[derive(Clone)]
struct LoomRs(Arc<loom_rs::LoomRuntime>);

impl Caller for Direct {
    async fn call(&self, n: u64) -> u64 {
        plain(n)
    }
}

impl Caller for Attribute {
    async fn call(&self, n: u64) -> u64 {
        annotated(n).await
    }
}

impl Caller for Free {
    async fn call(&self, n: u64) -> u64 {
        loom::spawn_adaptive(move || plain(n)).await
    }
}

impl Caller for ByHandle {
    async fn call(&self, n: u64) -> u64 {
        self.0.spawn_adaptive(move || plain(n)).await
    }
}

impl Caller for LoomRs {
    async fn call(&self, n: u64) -> u64 {
        self.0.spawn_adaptive(move || plain(n)).await
    }
}

/// Prints nanoseconds a call of one worker, and the allocations of all calls that count.
pub(crate) fn sample(options: &SampleOptions) -> Result<(), Box<dyn Error>> {
    let SampleOptions { contender, workers, calls } = options;
    let seen = if contender.starts_with("loom-rs") {
        let runtime = loom_rs::LoomBuilder::new().tokio_threads(*workers).build()?;
        let runtime = Arc::new(runtime);
        let tokio = runtime.tokio_handle().clone();
        tokio.block_on(tasks(&tokio, *workers, *calls, &LoomRs(runtime)))
    } else {
        // At least two, since a lone worker is another case.
        let runtime = LoomBuilder::new().tokio_threads((*workers).max(2)).build()?;
        let tokio = runtime.tokio_handle();
        match &**contender {
            "direct" => runtime.block_on(tasks(tokio, *workers, *calls, &Direct)),
            "attribute" => runtime.block_on(tasks(tokio, *workers, *calls, &Attribute)),
            "spawn_adaptive" => runtime.block_on(tasks(tokio, *workers, *calls, &Free)),
            "by handle" => {
                let caller = ByHandle(runtime.clone());
                runtime.block_on(tasks(tokio, *workers, *calls, &caller))
            }
            other => return Err(format!("no contender is called {other}").into()),
        }
    };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

/// Has so many tasks make calls at once.
async fn tasks(tokio: &Handle, workers: usize, calls: u64, caller: &impl Caller) -> (f64, u64) {
    let together = Arc::new(Barrier::new(workers));
    let tasks: Vec<_> = (0..workers)
        .map(|_| {
            let (caller, together) = (caller.clone(), Arc::clone(&together));
            tokio.spawn(async move {
                make(&caller, WARM_UP).await;
                together.wait().await;
                // Each has to be on a worker of its own, which the first calls see to.
                make(&caller, WARM_UP).await;
                let before = allocations::count();
                let took = make(&caller, calls).await;
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
    let a_call = took.as_secs_f64() * 1e9 / (calls * workers as u64) as f64;
    (a_call, allocated)
}

async fn make(caller: &impl Caller, calls: u64) -> Duration {
    let started = Instant::now();
    let mut sum = 0_u64;
    for n in 0..calls {
        sum = sum.wrapping_add(caller.call(n).await);
    }
    black_box(sum);
    started.elapsed()
}
