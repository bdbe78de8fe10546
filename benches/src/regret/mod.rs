//! `loom-bench regret`: the scheduler's decisions on described workloads, against the cost of the
//! better arm, on a simulated clock. The same seed gives the same result.

mod policy;
mod workload;

use std::error::Error;

use crate::plot;
use crate::report::{Report, Table, figure};
use policy::{Policy, Run};
use workload::{CALLS, FIRST, MOST, MOST_OF_RARE, WORKLOADS, Workload};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Use only one seed, and two numbers of workers.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print only the rows of two workers.
    #[arg(long)]
    pub(crate) brief: bool,
    /// The seed of the first run; the others follow.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

type Figure = fn(&Row) -> f64;

/// The number of workers in the plot.
const PLOTTED: usize = 2;

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let (seeds, workers): (u64, &[usize]) =
        if options.quick { (1, &[2, 8]) } else { (5, &[1, 2, 8, 64]) };
    let mut report = Report::default();
    report.say(&format!(
        "{} calls a run after the first {FIRST}; the total cost as a share of the better fixed \
         arm's under the same guardrails (`+GR`), the worst of {seeds} seeds; on a clock of its \
         own, so the same wherever it runs.",
        CALLS - FIRST
    ));
    let mut table = Table::new(
        1,
        [
            "work",
            "workers",
            "loom",
            "inline",
            "inline+GR",
            "offload",
            "50 µs known",
            "loom-rs",
            "oracle",
            "guardrails",
            "re-tests",
            "their time",
            "wrong in a row",
        ],
    );
    let mut plotted: Vec<(&str, Row)> = Vec::new();
    let mut failures = Vec::new();
    for workload in &WORKLOADS {
        for &workers in workers {
            let rows: Vec<Row> =
                (0..seeds).map(|n| row(workload, workers, options.seed + n)).collect();
            let worst = rows.into_iter().max_by(|a, b| a.loom.total_cmp(&b.loom));
            let Some(row) = worst else { continue };
            if !options.brief || workers == PLOTTED {
                table.row(row.cells(workload.name, workers));
            }
            failures.extend(
                row.failures(workload, workers)
                    .map(|why| format!("{}, {workers} workers: {why}", workload.name)),
            );
            report.data(&format!("{}, {workers} workers", workload.name), row.loom);
            if workers == PLOTTED {
                plotted.push((workload.name, row));
            }
        }
    }
    report.table(&table);
    let policies: [(&str, Figure); 5] = [
        ("loom", |row| row.loom),
        ("loom-rs", |row| row.loom_rs),
        ("always inline", |row| row.inline),
        ("always offload", |row| row.offload),
        ("50 µs known", |row| row.threshold),
    ];
    let names: Vec<&str> = plotted.iter().map(|(name, _)| *name).collect();
    let bars = policies
        .map(|(policy, of)| (policy, plotted.iter().map(|(_, row)| of(row)).collect::<Vec<f64>>()));
    let svg =
        plot::bars("Cost to that of the better arm, two workers (logarithmic)", &names, &bars)?;
    report.plot("regret.svg", "What decisions cost by workload, as a share of the better arm", svg);
    if failures.is_empty() {
        report.say(&format!(
            "All bars hold, with each number of workers that was tried. A workload costs at most {MOST} \
             of the better arm, or {MOST_OF_RARE} where calls are too rare to be known well and both arms \
             cost nearly the same. Where knowing more pays, it costs less than either arm. Re-tests are at \
             most 0.5 % of the calls and 1 % of the time. No verdict is wrong for more than 2000 calls."
        ));
    } else {
        report.say("Of what was aimed at, this falls short:");
        for failure in &failures {
            report.say(&format!("{failure}."));
        }
    }
    report.failures = failures;
    Ok(report)
}

/// Costs as ratios to the better fixed arm's cost under guardrails.
struct Row {
    loom: f64,
    inline: f64,
    guarded: f64,
    offload: f64,
    threshold: f64,
    loom_rs: f64,
    oracle: f64,
    /// The better arm's cost with guardrails, as a ratio to its cost without them.
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
    fn cells(&self, name: &str, workers: usize) -> Vec<String> {
        let share = |share: f64| format!("{:.2} %", share * 100.0);
        vec![
            name.to_owned(),
            workers.to_string(),
            figure(self.loom, 3),
            figure(self.inline, 2),
            figure(self.guarded, 2),
            figure(self.offload, 2),
            figure(self.threshold, 2),
            figure(self.loom_rs, 2),
            figure(self.oracle, 2),
            figure(self.guardrails, 2),
            share(self.retests),
            share(self.retest_time),
            self.most_wrong.to_string(),
        ]
    }

    fn failures(&self, workload: &Workload, workers: usize) -> impl Iterator<Item = &'static str> {
        [
            (self.loom > workload.most, "more than its bar of the better arm"),
            (
                // GR0 keeps a lone worker free while a task waits, at any cost.
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
