//! `loom-bench watch`: the CPU time that the keeper takes while it watches a runtime that has work.

use std::error::Error;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use loom::{ComputePriority, LoomBuilder, LoomRuntime};

use crate::http::Neighbours;
use crate::report::{Bar, Report, Table, figure};
use crate::rounds::at_least_one;
use crate::statistics::{Estimate, median};
use crate::work::burn;

/// The keeper may take this part of a CPU's time, in thousandths.
const MOST: Bar = Bar::AtMost(1.0);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 7, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// The seconds of each sample.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// What the keeper watches.
struct Watched {
    name: &'static str,
    priority: ComputePriority,
    compute_threads: usize,
    busy_loops: usize,
}

const WATCHED: [Watched; 4] = [
    Watched { name: "`idle`", priority: ComputePriority::Idle, compute_threads: 2, busy_loops: 0 },
    Watched { name: "`auto`", priority: ComputePriority::Auto, compute_threads: 2, busy_loops: 0 },
    Watched {
        name: "`auto`, 16 compute threads",
        priority: ComputePriority::Auto,
        compute_threads: 16,
        busy_loops: 0,
    },
    Watched {
        name: "`auto`, two busy loops",
        priority: ComputePriority::Auto,
        compute_threads: 2,
        busy_loops: 2,
    },
];

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let (rounds, seconds) =
        if options.quick { (1, 0.5) } else { (options.rounds, options.seconds) };
    let mut samples = WATCHED.map(|_| (Vec::new(), Vec::new()));
    for round in 0..rounds {
        for turn in 0..WATCHED.len() {
            // The order changes from round to round.
            let at = (turn + round) % WATCHED.len();
            let (thousandths, changed) = sample(&WATCHED[at], Duration::from_secs_f64(seconds))?;
            samples[at].0.push(thousandths);
            samples[at].1.extend(changed);
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    let mut report = Report::default();
    report.say(&format!(
        "The keeper's CPU time, in thousandths of a CPU's time, while a caller makes one call of \
         200 µs after the other; medians of {rounds} interleaved rounds of {seconds} s."
    ));
    let heads = ["", "keeper", "from", "to", "bar", "", "changed its class after, s", "at most"];
    let mut table = Table::new(1, heads);
    for (watched, (thousandths, changed)) in WATCHED.iter().zip(&samples) {
        let estimate = Estimate::of(thousandths);
        table.row([
            watched.name.to_owned(),
            figure(estimate.median, 2),
            figure(estimate.low, 2),
            figure(estimate.high, 2),
            MOST.sign(),
            MOST.verdict(estimate).to_owned(),
            figure(median(&mut changed.clone()), 2),
            figure(changed.iter().copied().fold(f64::NAN, f64::max), 2),
        ]);
        report.data(&format!("{}, changes", watched.name), changed);
        report.data(watched.name, thousandths);
    }
    report.table(&table);
    Ok(report)
}

/// The keeper's part of a CPU's time in thousandths, and after how many seconds of work the class
/// changed, if it did.
fn sample(watched: &Watched, length: Duration) -> Result<(f64, Option<f64>), Box<dyn Error>> {
    let runtime = LoomBuilder::new()
        .compute_priority(watched.priority)
        .rayon_threads(watched.compute_threads)
        .build()?;
    let _neighbours = Neighbours::start(watched.busy_loops)?;
    // The first call makes the keeper watch.
    call(&runtime);
    let (start, before) = (Instant::now(), keeper_nanos()?);
    let mut changed = None;
    while start.elapsed() < length {
        call(&runtime);
        if changed.is_none() && runtime.priority_changes() > 0 {
            changed = Some(start.elapsed().as_secs_f64());
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let ran = (keeper_nanos()? - before) as f64 / 1e9;
    Ok((ran / start.elapsed().as_secs_f64() * 1e3, changed))
}

fn call(runtime: &LoomRuntime) {
    runtime.block_on(runtime.spawn_compute(|| burn(Duration::from_micros(200))));
}

/// The CPU time of the keeper so far, in nanoseconds.
fn keeper_nanos() -> io::Result<u64> {
    for task in fs::read_dir("/proc/self/task")? {
        let folder = task?.path();
        if fs::read_to_string(folder.join("comm"))?.trim_end() == "loom-keeper" {
            let times = fs::read_to_string(folder.join("schedstat"))?;
            let ran = times.split(' ').next().and_then(|nanos| nanos.parse().ok());
            return ran.ok_or_else(|| io::Error::other("`schedstat` has no time"));
        }
    }
    Err(io::Error::other("no thread is called `loom-keeper`"))
}
