//! A member of a fleet: a caller that stretches passwords at twice the rate that it bears, or a worker.
//!
//! ```text
//! cargo run --release --package loom-runtime-fleet --example member -- caller SECONDS
//! cargo run --release --package loom-runtime-fleet --example member -- worker
//! ```
//!
//! The environment says where the server is: `MEMBER_FLEET_URL=nats://127.0.0.1:4222`. Without it, a caller is
//! alone. `examples/fleet/run` starts a server, a caller and two workers, and prints a table of what callers print.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use loom::{ComputePriority, LoomBuilder, LoomRuntime};
use loom_fleet::Fleet;

/// How long a call may wait here; one that would wait longer is turned away.
const PATIENCE: Duration = Duration::from_millis(100);
/// Some milliseconds of work.
const ROUNDS: u32 = 200_000;

#[loom::compute(fleet, idempotent, hint = "high")]
fn stretched(password: String) -> u64 {
    work(&password)
}

fn work(password: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for round in 0..ROUNDS {
        for byte in password.bytes() {
            hash = (hash ^ u64::from(byte) ^ u64::from(round)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let builder = LoomBuilder::new()
        .env_prefix("MEMBER")
        .tokio_threads(1)
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal)
        .fleet(Fleet::from_settings());
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker"] => {
            let runtime = builder.fleet(Fleet::from_settings().only_worker()).build()?;
            if runtime.config().fleet.url.is_none() {
                return Err("a worker needs `MEMBER_FLEET_URL`".into());
            }
            println!("it serves; Ctrl-C ends it");
            runtime.block_on(async {
                tokio::signal::ctrl_c().await?;
                runtime.shutdown();
                runtime.wait_for_shutdown().await;
                Ok(())
            })
        }
        ["caller", seconds] => {
            call(&builder.build()?, seconds.parse()?);
            Ok(())
        }
        _ => Err("expected `worker`, or `caller` and a number of seconds".into()),
    }
}

fn call(runtime: &LoomRuntime, seconds: u64) {
    let password = || "correct horse battery staple".to_owned();
    let name = concat!(module_path!(), "::stretched");
    runtime.block_on(async {
        // Twice the rate that one thread bears.
        let began = Instant::now();
        for _ in 0..20 {
            black_box(work(black_box(&password())));
        }
        let period = began.elapsed() / 20 / 2;
        let mut beats = tokio::time::interval(period);
        let (began, mut calls, mut turned_away) = (Instant::now(), Vec::new(), 0);
        while began.elapsed() < Duration::from_secs(seconds) {
            beats.tick().await;
            if runtime.would_wait_for(name, PATIENCE).is_some() {
                turned_away += 1;
                continue;
            }
            calls.push(loom::spawn_async(async move {
                let began = Instant::now();
                stretched(password()).await;
                began.elapsed()
            }));
        }
        let mut times = Vec::new();
        for call in calls {
            times.extend(call.await);
        }
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        let functions = runtime.functions();
        let far = functions.iter().find(|function| function.name == name).map(|one| &one.far);
        // A row of the table.
        println!(
            "{:>8} {:>9} {turned_away:>12} {:>10} {:>10} {:>12}",
            times.len() + turned_away,
            times.len(),
            format!("{:.1?}", at(50)),
            format!("{:.1?}", at(99)),
            far.map_or(0, |far| far.returned)
        );
        if let Some(verdict) = far.and_then(|far| far.verdict) {
            eprintln!("{}", verdict.explain());
        }
    });
}
