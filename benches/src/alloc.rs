//! `loom-bench alloc`: the allocations of a call, in the steady state.

use std::error::Error;

use crate::contenders::{self, Bench, Kind};
use crate::report::{Report, Table, figure};
use crate::rounds::{Rounds, Taken, in_a_process};
use crate::sample::Seen;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A short sample of each contender.
    #[arg(long)]
    pub(crate) quick: bool,
}

const SCENARIOS: [(&str, &str); 2] = [("1 caller", "1"), ("64 callers", "64")];

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let millis = if options.quick { "50" } else { "500" };
    // Other programs hardly disturb counts of allocations.
    let rounds = if options.quick { Rounds::one() } else { Rounds { rounds: 3, most_repeats: 0 } };
    let entries = contenders::of(Bench::Calls);
    let names: Vec<_> =
        entries.iter().filter(|of| of.kind != Kind::Bare).map(|of| of.name).collect();
    let taken =
        Taken::<Seen>::take(rounds, &SCENARIOS.map(|(name, _)| name), &names, |s, c, _| {
            let callers = SCENARIOS.iter().find(|(name, _)| *name == s).map_or("1", |of| of.1);
            in_a_process(&["sample", "--contender", c, "calls", callers, "0", millis])
        })?;
    let mut report = Report::default();
    report.say("Allocations a call of a closure that does nothing, and their bytes; medians.");
    let mut table = Table::new(1, ["", "1 caller", "bytes", "64 callers", "bytes"]);
    for (c, name) in names.iter().enumerate() {
        let of = |s: usize| {
            [
                figure(taken.median(s, c, |seen| seen.allocations), 3),
                figure(taken.median(s, c, |seen| seen.bytes), 0),
            ]
        };
        table.row([(*name).to_owned()].into_iter().chain(of(0)).chain(of(1)));
    }
    report.table(&table);
    report.say(
        "What Loom allocates is one allocation of rayon's for each time the idle pool is woken; \
         `tests/core/alloc.rs` holds it to that, over a million calls of each size.",
    );
    report.samples("allocations", &taken);
    Ok(report)
}
