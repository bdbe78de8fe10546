//! `loom-bench local`: the cost of tasks and timers that stay on one thread, beside tokio's and
//! other crates'. Each sample is a process of its own.

mod column;
mod tasks;
mod timers;

use std::error::Error;

use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::{Rounds, Taken, at_least_one, in_a_process};
use crate::sample::Seen;
use column::Column;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    pub(crate) rounds: usize,
}

#[derive(clap::Args)]
pub(crate) struct SampleOptions {
    contender: String,
    scenario: String,
    /// How many tasks, polls or timers.
    n: u64,
}

/// One sample, in a process of its own.
pub(crate) fn sample(options: &SampleOptions) -> Result<(), Box<dyn Error>> {
    let SampleOptions { contender, scenario, n } = options;
    let seen = tasks::sample(contender, scenario, *n);
    let seen = seen.or_else(|| timers::sample(contender, scenario, *n));
    let seen = seen.ok_or_else(|| format!("nobody is called `{contender}` in `{scenario}`"))?;
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let rounds = if options.quick { Rounds::one() } else { Rounds::of(options.rounds) };
    let less = if options.quick { 50 } else { 1 };
    let mut report = Report::default();

    let columns = tasks::COLUMNS;
    let taken = take(rounds, columns, tasks::NAMES, less)?;
    report.say(
        "Tasks that stay on one thread: nanoseconds, and allocations; medians. A task is spawned, \
         32 at a time, run and done; or polls itself awake again and again, alone or 64 of them.",
    );
    report.say(&taken.how());
    let head = columns.iter().map(|column| column.says);
    let mut table = Table::new(1, ["", "allocations a task"].into_iter().chain(head));
    for (c, name) in taken.contenders.iter().enumerate() {
        let cells = columns
            .iter()
            .enumerate()
            .map(|(s, column)| figure(taken.median(s, c, |seen| seen.nanos), column.digits));
        let allocations = figure(taken.median(0, c, |seen| seen.allocations), 4);
        table.row([(*name).to_owned(), allocations].into_iter().chain(cells));
    }
    report.table(&table);
    report.say("What was aimed at:");
    let mut aims = Table::new(2, ["", "", "", "bar", ""]);
    let spawned = |c: usize| {
        let all = taken.samples[0][c].iter().map(|sample| sample.seen.nanos);
        crate::statistics::Estimate::of(&all.collect::<Vec<_>>())
    };
    for name in ["loom executor", "loom core"] {
        let Some(c) = taken.place(name) else { continue };
        let (estimate, bar) = (spawned(c), Bar::AtMost(120.0));
        let says = ["spawned and done, ns", &ratio(estimate), &bar.sign(), bar.verdict(estimate)];
        aims.row([name].into_iter().chain(says));
    }
    if let (Some(ours), Some(theirs)) = (taken.place("loom core"), taken.place("tokio")) {
        for (s, column) in columns.iter().enumerate().skip(1) {
            let (bar, of) = (Bar::AtMost(1.0), taken.ratio(s, (ours, theirs), |seen| seen.nanos));
            let what = format!("{}, to tokio's", column.says);
            aims.row(["loom core", &what, &ratio(of), &bar.sign(), bar.verdict(of)]);
        }
    }
    report.table(&aims);
    report.samples("local tasks", &taken);

    timers_of(&mut report, rounds, less)?;
    Ok(report)
}

fn timers_of(report: &mut Report, rounds: Rounds, less: u64) -> Result<(), Box<dyn Error>> {
    let columns = timers::COLUMNS;
    let taken = take(rounds, columns, timers::NAMES, less)?;
    report.say(
        "Timers: CPU time to register and fire one, in nanoseconds, while so many others wait; and \
         how much later than 2.3 ms a delay of 2.3 ms ends, in microseconds, at the median and at \
         p99.",
    );
    report.say(&taken.how());
    let head = columns.iter().map(|column| column.says);
    let mut table = Table::new(1, [""].into_iter().chain(head).chain(["p99 late, µs"]));
    for (c, name) in taken.contenders.iter().enumerate() {
        let cells = columns
            .iter()
            .enumerate()
            .map(|(s, column)| figure(taken.median(s, c, |seen| seen.nanos), column.digits));
        let p99 = figure(taken.median(columns.len() - 1, c, |seen| seen.bytes), 0);
        table.row([(*name).to_owned()].into_iter().chain(cells).chain([p99]));
    }
    report.table(&table);
    let late = columns.len() - 1;
    if let (Some(ours), Some(theirs)) = (taken.place("loom core"), taken.place("tokio")) {
        let (bar, of) = (Bar::AtMost(0.2), taken.ratio(late, (ours, theirs), |seen| seen.nanos));
        let (to, verdict) = (ratio(of), bar.verdict(of));
        report.say(&format!(
            "A local core's lateness to that of tokio's `sleep`: {to}; at most 0.2 was aimed at: \
             {verdict}."
        ));
    }
    report.samples("local timers", &taken);
    Ok(())
}

fn take(
    rounds: Rounds,
    columns: &'static [Column],
    names: &[&'static str],
    less: u64,
) -> Result<Taken<Seen>, Box<dyn Error>> {
    let scenarios: Vec<_> = columns.iter().map(|column| column.scenario).collect();
    Taken::take(rounds, &scenarios, names, |scenario, contender, _round| {
        let n = columns.iter().find(|column| column.scenario == scenario).map_or(1, |of| of.n);
        let n = (n / less).max(64).to_string();
        in_a_process(&["local-sample", contender, scenario, &n])
    })
}
