//! `loom-bench decide`: the cost of a call that runs inline, beyond the function itself, on one
//! I/O worker and on two at the same time; and the number of its instructions.

use std::error::Error;

use crate::contenders::{self, Bench};
use crate::instructions;
use crate::plot;
use crate::report::{Bar, Report, Table, figure};
use crate::rounds::at_least_one;
use crate::rounds::{Rounds, Taken, in_a_process};
use crate::sample::Seen;
use crate::statistics::Estimate;

const WORKERS: [&str; 2] = ["1", "2"];
const DIRECT: &str = "tokio";
/// The contender, the figure, whether it is for two workers, and the bar.
const AIMS: [(&str, &str, bool, Bar); 4] = [
    ("loom attribute", "ns beyond the function", false, Bar::AtMost(15.0)),
    ("loom attribute", "speed-up with 2 workers", true, Bar::AtLeast(1.8)),
    ("loom", "ns beyond the function", false, Bar::AtMost(15.0)),
    ("loom", "speed-up with 2 workers", true, Bar::AtLeast(1.8)),
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    pub(crate) rounds: usize,
}

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let (rounds, calls) = if options.quick {
        (Rounds::one(), 100_000)
    } else {
        (Rounds::of(options.rounds), 6_000_000)
    };
    let names: Vec<_> = contenders::of(Bench::Decisions).iter().map(|entry| entry.name).collect();
    let taken = Taken::take(rounds, &WORKERS, &names, |workers, contender, _round| {
        // In some runs, loom-rs offloads every call, and would take minutes for so many.
        let calls = if contender == "loom-rs" { calls / 20 } else { calls };
        let calls = calls.to_string();
        in_a_process::<Seen>(&["sample", "--contender", contender, "decisions", workers, &calls])
    })?;
    let mut report = Report::default();
    report.say("What a call costs that is not moved: nanoseconds, medians, with 95 % intervals.");
    report.say(&taken.how());
    let mut table = Table::new(
        1,
        [
            "",
            "ns a call",
            "beyond the function",
            "2 workers at once, speed-up",
            "allocations a call",
        ],
    );
    let nanos = |seen: &Seen| seen.nanos;
    let Some(direct) = taken.place(DIRECT) else { return Err("nobody calls directly".into()) };
    for (c, name) in names.iter().enumerate() {
        let beyond = beyond(&taken, c, direct);
        let allocations = (0..2).map(|w| taken.median(w, c, |seen| seen.allocations));
        table.row([
            (*name).to_owned(),
            figure(taken.median(0, c, nanos), 1),
            interval(beyond),
            interval(faster(&taken, c)),
            figure(allocations.fold(0.0, f64::max), 4),
        ]);
    }
    report.table(&table);
    report.say("What was aimed at, with all metrics on, which they always are:");
    let mut aims = Table::new(2, ["", "", "", "bar", ""]);
    for (name, what, of_two, bar) in AIMS {
        let Some(c) = taken.place(name) else { continue };
        let estimate = if of_two { faster(&taken, c) } else { beyond(&taken, c, direct) };
        aims.row([name, what, &interval(estimate), &bar.sign(), bar.verdict(estimate)]);
    }
    report.table(&aims);
    report.samples("decisions", &taken);
    let lines: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(c, name)| {
            let points = (0..WORKERS.len()).map(|w| (w + 1, taken.median(w, c, nanos)));
            (*name, points.collect())
        })
        .collect();
    let svg = plot::costs("What a call costs that is not moved", &lines)?;
    report.plot(
        "decisions.svg",
        "Nanoseconds a call by the number of workers that call at once",
        svg,
    );
    instructions::add(&mut report, options.quick)?;
    Ok(report)
}

fn beyond(taken: &Taken<Seen>, c: usize, direct: usize) -> Estimate {
    let rounds = taken.samples[0][c].iter().zip(&taken.samples[0][direct]);
    Estimate::of(&rounds.map(|(a, b)| a.seen.nanos - b.seen.nanos).collect::<Vec<_>>())
}

fn faster(taken: &Taken<Seen>, c: usize) -> Estimate {
    let rounds = taken.samples[0][c].iter().zip(&taken.samples[1][c]);
    let faster = rounds.map(|(one, two)| 2.0 * one.seen.nanos / two.seen.nanos);
    Estimate::of(&faster.collect::<Vec<_>>())
}

fn interval(Estimate { median, low, high, .. }: Estimate) -> String {
    format!("{median:.1} ({low:.1} to {high:.1})")
}
