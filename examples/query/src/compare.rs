//! The comparison: each way in a process of its own, in rounds, and a table of the medians.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::engine::Engine;
use crate::load;
use crate::orders;
use crate::service;
use crate::way::{Home, Way};

/// The highest 99th percentile that is aimed at for a read of one millisecond, in milliseconds.
const READ_BAR: f64 = 2.0;

/// What a run has shown.
struct Seen {
    /// Answers a second.
    answers: f64,
    /// Quantiles of how long a read took that should take one millisecond, in milliseconds.
    read: [f64; 3],
}

pub fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.1..=600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("0.1 to 600 are possible".into())
    }
}

/// Compares the three ways.
pub fn run(rounds: u32, seconds: f64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let orders = folder.path().join("orders.parquet");
    eprintln!("writing {}", orders.display());
    orders::write(&orders)?;
    let mut seen = Way::ALL.map(|_| Vec::new());
    for round in 1..=rounds {
        for (way, seen) in Way::ALL.into_iter().zip(&mut seen) {
            eprintln!("round {round} of {rounds}: {}", way.name());
            seen.push(in_process(way, &orders, seconds)?);
        }
    }
    table(&seen);
    Ok(())
}

/// Runs one way in a process of its own, since the engine's settings hold for a whole process.
fn in_process(way: Way, orders: &Path, seconds: f64) -> Result<Seen, Box<dyn Error>> {
    let name = way.to_possible_value().ok_or("the way has a name")?;
    let mut command = Command::new(env::current_exe()?);
    command.args(["--seconds", &seconds.to_string(), "measure", name.get_name()]).arg(orders);
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the run on {} failed: {}", way.name(), output.status).into());
    }
    let numbers = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = numbers.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [answers, read @ ..]: [f64; 4] =
        numbers.try_into().map_err(|_| "a run prints four numbers")?;
    Ok(Seen { answers, read })
}

/// One run: the service, the clients and the reads. Prints its numbers.
pub fn measure(way: Way, orders: &Path, seconds: f64) -> Result<(), Box<dyn Error>> {
    let home = Home::new(way)?;
    let (engine, listener) = home.handle().block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok::<_, Box<dyn Error>>((Engine::open(orders).await?, listener))
    })?;
    let service = listener.local_addr()?;
    let router = service::router(engine, home.place());
    home.handle().spawn(async { axum::serve(listener, router).await });
    let time = Duration::from_secs_f64(seconds);
    // Files come into the page cache, and Loom measures.
    load::ask(service, Instant::now() + time / 5)?;
    let peer = load::peer()?;
    let stops = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stops);
    let reads = home.handle().spawn(async move { load::reads(peer, &stopped).await });
    let clients = thread::spawn(move || load::ask(service, Instant::now() + time));
    let answered = clients.join().map_err(|_| "a client panicked")??;
    stops.store(true, Ordering::Relaxed);
    let mut took = home.handle().block_on(reads)??;
    took.sort_unstable();
    let quantile = |of: f64| took.get((took.len() as f64 * of) as usize).or(took.last());
    let millis = |of| quantile(of).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3);
    println!("{} {} {} {}", answered as f64 / seconds, millis(0.5), millis(0.99), millis(1.0));
    Ok(())
}

fn table(seen: &[Vec<Seen>; 3]) {
    println!(
        "| the engine runs on | answers a second | of the second runtime's | read: p50 | p99 | longest |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let [_, second, loom] = seen;
    let shares = |seen: &[Seen]| {
        sorted(seen.iter().zip(second).map(|(ours, theirs)| ours.answers / theirs.answers))
    };
    for (way, seen) in Way::ALL.into_iter().zip(seen) {
        let (name, shares) = (way.name(), shares(seen));
        let (share, least, most) = (middle(&shares), shares[0], shares[shares.len() - 1]);
        let answers = median(seen.iter().map(|seen| seen.answers));
        let [p50, p99, longest] = [0, 1, 2].map(|n| median(seen.iter().map(|seen| seen.read[n])));
        println!(
            "| {name} | {answers:.1} | {share:.2} ({least:.2} to {most:.2}) | {p50:.2} ms | {p99:.2} ms | {longest:.2} ms |"
        );
    }
    println!("Medians of {} rounds. A read should take 1 ms.", second.len());
    let holds = |holds: bool| if holds { "holds" } else { "falls short" };
    let p99 = median(loom.iter().map(|seen| seen.read[1]));
    let is_met = holds(p99 <= READ_BAR);
    println!("Loom's reads: p99 {p99:.2} ms, at most {READ_BAR} ms aimed at: {is_met}.");
    let share = middle(&shares(loom));
    let is_met = holds(share >= 1.0);
    println!("Loom's answers: {share:.2} of the second runtime's, at least 1 aimed at: {is_met}.");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    middle(&sorted(values))
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
