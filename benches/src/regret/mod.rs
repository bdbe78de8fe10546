//! `loom-bench regret`: the scheduler's decisions on described workloads, against what the
//! better arm would have cost, on a clock of their own. The same for the same seed.

mod policy;
mod workload;

use std::error::Error;

use policy::{Policy, Run};
use workload::{CALLS, FIRST, WORKLOADS, Workload};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only one seed, and two numbers of workers.
    #[arg(long)]
    quick: bool,
    /// The seed of the first run; the others follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The most that decisions may cost, as a share of the better arm under the same guardrails.
const MOST: f64 = 1.05;

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (seeds, workers): (u64, &[usize]) =
        if options.quick { (1, &[2, 8]) } else { (5, &[1, 2, 8, 64]) };
    println!(
        "{} calls a run after the first {FIRST}; the total cost as a share of the better fixed \
         arm's under the same guardrails (`+GR`), the worst of {seeds} seeds.\n",
        CALLS - FIRST
    );
    println!(
        "| work | workers | loom | inline | inline+GR | offload | 50 µs known | loom-rs | oracle | guardrails | \
         re-tests | their time | wrong in a row |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let mut failures = Vec::new();
    for workload in &WORKLOADS {
        for &workers in workers {
            let rows: Vec<Row> =
                (0..seeds).map(|n| row(workload, workers, options.seed + n)).collect();
            let worst = rows.into_iter().max_by(|a, b| a.loom.total_cmp(&b.loom));
            let Some(row) = worst else { continue };
            row.print(workload.name, workers);
            failures.extend(
                row.failures(workload, workers)
                    .map(|why| format!("{}, {workers} workers: {why}", workload.name)),
            );
        }
    }
    println!();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ").into()) }
}

/// Shares of the better fixed arm's cost under guardrails.
struct Row {
    loom: f64,
    inline: f64,
    guarded: f64,
    offload: f64,
    threshold: f64,
    loom_rs: f64,
    oracle: f64,
    /// What the better arm costs with guardrails, as a share of what it costs without.
    guardrails: f64,
    retests: f64,
    retest_time: f64,
    most_wrong: usize,
}

fn row(workload: &Workload, workers: usize, seed: u64) -> Row {
    let calls = workload.calls(seed);
    let run = |policy: Policy| policy::play(policy, workload, &calls, workers, seed);
    let fixed = |inline, guarded| run(Policy::Fixed { inline, guarded }).cost;
    let (inline, guarded, offload) = (fixed(true, false), fixed(true, true), fixed(false, true));
    let better = guarded.min(offload);
    let Run { cost, retests, retest_time, most_wrong, time } = run(Policy::Loom);
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let of_calls = retests as f64 / (CALLS - FIRST) as f64;
    Row {
        loom: cost / better,
        inline: inline / better,
        guarded: guarded / better,
        offload: offload / better,
        threshold: run(Policy::Threshold).cost / better,
        loom_rs: run(Policy::LoomRs).cost / better,
        oracle: run(Policy::Oracle).cost / better,
        guardrails: better / inline.min(offload),
        retests: of_calls,
        retest_time: retest_time / time,
        most_wrong,
    }
}

impl Row {
    fn print(&self, name: &str, workers: usize) {
        println!(
            "| {name} | {workers} | {:.3} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} % | \
             {:.2} % | {} |",
            self.loom,
            self.inline,
            self.guarded,
            self.offload,
            self.threshold,
            self.loom_rs,
            self.oracle,
            self.guardrails,
            self.retests * 100.0,
            self.retest_time * 100.0,
            self.most_wrong,
        );
    }

    fn failures(&self, workload: &Workload, workers: usize) -> impl Iterator<Item = &'static str> {
        [
            (self.loom > MOST, "more than 1.05 of the better arm"),
            (
                // GR0 keeps a lone worker free while anybody waits, whatever it costs.
                workload.beats_both && workers > 1 && self.loom >= self.inline.min(self.offload),
                "not below both arms",
            ),
            (self.retests > 0.005, "more than 0.5 % of calls are re-tests"),
            (self.most_wrong > 2000, "a wrong verdict stands for more than 2000 calls"),
            (self.retest_time > 0.01, "re-tests take more than 1 % of the time"),
        ]
        .into_iter()
        .filter_map(|(falls_short, why)| falls_short.then_some(why))
    }
}
