//! One sample: one contender in one scenario, in a process of its own.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use loom::ComputeHint;
use serde::{Deserialize, Serialize};

use super::{SCENARIOS, Scenario, scopes};
use crate::allocations;
use crate::bare::Bare;
use crate::contenders::{
    BlockInPlace, Contender, Inline, LoomAdaptive, LoomCompute, LoomRs, RayonOneshot,
    SpawnBlocking, TokioRayon,
};
use crate::machine;

/// In the order of the table.
pub(super) const CONTENDERS: [&str; 13] = [
    "inline",
    "block_in_place",
    "spawn_blocking",
    "rayon-oneshot",
    "tokio-rayon",
    "tokio-rayon-1+1",
    "loom-rs",
    "loom",
    "loom-split",
    "loom-adaptive",
    "bare-tokio",
    "bare-loom",
    "bare-split",
];

/// How long calls are made before they count.
const WARM_UP: Duration = Duration::from_millis(30);

#[derive(clap::Args)]
pub(crate) struct SampleOptions {
    #[arg(long)]
    contender: String,
    #[arg(long)]
    scenario: String,
    #[arg(long)]
    millis: u64,
}

/// What a sample came to, a call.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Wall time by calls made, whoever made them.
    pub(crate) nanos: f64,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
}

pub(crate) fn sample(options: &SampleOptions) -> Result<(), Box<dyn Error>> {
    let all = SCENARIOS.iter().chain(&scopes::SCENARIOS);
    let scenario = all.into_iter().find(|scenario| scenario.name == options.scenario);
    let scenario = scenario.ok_or("no such scenario")?;
    let length = Duration::from_millis(options.millis);
    if let Some(seen) = scopes::measure(&options.contender, scenario, length) {
        println!("{}", serde_json::to_string(&seen)?);
        return Ok(());
    }
    let seen = match &*options.contender {
        "inline" => measure(Inline::new(), scenario, length),
        "block_in_place" => measure(BlockInPlace::new(), scenario, length),
        "spawn_blocking" => measure(SpawnBlocking::new(), scenario, length),
        "rayon-oneshot" => measure(RayonOneshot::new(), scenario, length),
        "tokio-rayon" => measure(TokioRayon::new(), scenario, length),
        "tokio-rayon-1+1" => measure(TokioRayon::with(1), scenario, length),
        "loom-rs" => measure(LoomRs::new(), scenario, length),
        "loom" => measure(LoomCompute::new(), scenario, length),
        "loom-split" => measure(LoomCompute::split(), scenario, length),
        "loom-adaptive" => measure(LoomAdaptive::new(), scenario, length),
        "bare-tokio" => measure(Bare::beside_tokio(), scenario, length),
        "bare-loom" => measure(Bare::within_loom(), scenario, length),
        "bare-split" => measure(Bare::within_split_loom(), scenario, length),
        other => return Err(format!("no contender is called {other}").into()),
    };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

fn measure<C: Contender>(contender: C, scenario: &Scenario, length: Duration) -> Seen {
    let contender = Arc::new(contender);
    let work = Duration::from_micros(scenario.micros);
    calls(&contender, scenario.callers, work, WARM_UP);
    let (allocations, bytes) = (allocations::count(), allocations::bytes());
    let (made, took) = calls(&contender, scenario.callers, work, length);
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let a_call = |figure: u64| figure as f64 / made.max(1) as f64;
    Seen {
        nanos: took.as_secs_f64() * 1e9 * a_call(1),
        allocations: a_call(allocations::count() - allocations),
        bytes: a_call(allocations::bytes() - bytes),
    }
}

/// Makes calls until the time is up: how many, and how long until the last had ended.
fn calls<C: Contender>(
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
            // Within a task: `block_on` would measure the wake-up of a foreign thread.
            tokio.spawn(async move {
                let mut made = 0;
                while !is_over.load(Ordering::Relaxed) {
                    black_box(contender.call(ComputeHint::High, move || burn(work)).await);
                    made += 1;
                    if made % 64 == 0 {
                        // A contender that never waits would keep the other tasks away.
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

/// The share of a CPU, in percent, that a runtime uses which has made calls and makes none.
pub(super) fn idle_share(rest: Duration) -> std::io::Result<f64> {
    let contender = Arc::new(LoomCompute::new());
    calls(&contender, 64, Duration::ZERO, WARM_UP);
    // What lingers has gone home by then, and the keeper has forgotten it.
    std::thread::sleep(Duration::from_millis(500));
    let before = machine::own_nanos()?;
    std::thread::sleep(rest);
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let used = (machine::own_nanos()? - before) as f64;
    Ok(used / rest.as_secs_f64() / 1e7)
}

/// Keeps a CPU busy for so long.
pub(super) fn burn(work: Duration) -> u64 {
    if work.is_zero() {
        return black_box(1);
    }
    let until = Instant::now() + work;
    let mut steps = 0;
    while Instant::now() < until {
        steps += 1;
    }
    black_box(steps)
}
