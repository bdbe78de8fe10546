//! The table of `loom-bench http`, the results of its bars, and its plot.

use std::error::Error;

use crate::contenders::{self, Kind};
use crate::plot;
use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::Taken;
use crate::statistics::median;

use super::Seen;

/// The split that fast requests are compared with: its I/O thread never runs compute.
const SPLIT: &str = "tokio-rayon 1+1";
const OURS: &str = "loom";
/// Computes on its I/O threads, so that fast requests wait for seconds at overload; a reference
/// value.
const INLINE: &str = "tokio";
const BY_SIZE: &str = "loom by size";
/// The same with compute threads of normal priority.
const NORMAL: &str = "loom normal";
const OFFLOADING: &str = "loom offload";

type Figure = fn(&Seen) -> f64;

/// From this many milliseconds on a figure stands for no answer.
const NEVER: f64 = 1e6;

/// A bound on a contender's figure, as a ratio to another contender's figure.
struct Aim {
    name: &'static str,
    scenario: &'static str,
    ours: &'static str,
    figure: Figure,
    against: Peer,
    bar: Bar,
}

enum Peer {
    Of(&'static str),
    /// The peer that offloads and has the best median: the smallest time, or the largest rate.
    Best,
}

const fn aim(
    (scenario, name): (&'static str, &'static str),
    (ours, against): (&'static str, Peer),
    figure: Figure,
    bar: Bar,
) -> Aim {
    Aim { name, scenario, ours, figure, against, bar }
}

/// What is aimed at beside a load of normal priority, and beside programs that never sleep.
const AIMS_BESIDE: [Aim; 4] = [
    aim(
        ("normal load", "load at normal priority: fast p99"),
        (OURS, Peer::Of(SPLIT)),
        |seen| seen.fast_p99,
        Bar::AtMost(2.0),
    ),
    aim(
        ("normal load", "load at normal priority: heavy p99"),
        (OURS, Peer::Best),
        |seen| seen.slow_p99,
        Bar::AtMost(1.0),
    ),
    aim(
        ("busy loops", "two busy loops: heavy p50"),
        (OURS, Peer::Of(NORMAL)),
        |seen| seen.slow_p50,
        Bar::AtMost(1.3),
    ),
    aim(
        ("busy loops", "two busy loops: fast p99"),
        (OURS, Peer::Of(NORMAL)),
        |seen| seen.fast_p99,
        Bar::AtMost(1.0),
    ),
];

const AIMS: [Aim; 9] = [
    aim(
        ("heavy", "fast p99 with heavy requests"),
        (OURS, Peer::Of(SPLIT)),
        |seen| seen.fast_p99,
        Bar::AtMost(1.2),
    ),
    aim(
        ("overload", "fast p99 at overload"),
        (OURS, Peer::Of(SPLIT)),
        |seen| seen.fast_p99,
        Bar::AtMost(1.0),
    ),
    aim(("heavy", "heavy p99"), (OURS, Peer::Best), |seen| seen.slow_p99, Bar::AtMost(1.0)),
    aim(
        ("overload", "heavy answers a second at overload"),
        (OURS, Peer::Best),
        |seen| seen.slow_rate,
        Bar::AtLeast(0.97),
    ),
    aim(
        ("two sizes", "two sizes: p50 of 20 µs"),
        (BY_SIZE, Peer::Of(INLINE)),
        |seen| seen.cheap_p50,
        Bar::AtMost(1.1),
    ),
    aim(
        ("two sizes", "two sizes: fast p99"),
        (BY_SIZE, Peer::Of(SPLIT)),
        |seen| seen.fast_p99,
        Bar::AtMost(1.3),
    ),
    aim(
        ("two sizes", "two sizes: fast p99"),
        (OURS, Peer::Of(OFFLOADING)),
        |seen| seen.fast_p99,
        Bar::AtMost(1.05),
    ),
    aim(
        ("two sizes", "two sizes: p50 of 20 µs"),
        (OURS, Peer::Of(OFFLOADING)),
        |seen| seen.cheap_p50,
        Bar::AtMost(1.05),
    ),
    aim(
        ("two sizes", "two sizes: p99 of both"),
        (OURS, Peer::Of(OFFLOADING)),
        |seen| seen.slow_p99,
        Bar::AtMost(1.05),
    ),
];

const COLUMNS_BESIDE: [Column; 6] = [
    ("normal load: fast p99", "normal load", |seen| seen.fast_p99 / 1e3, 2),
    ("normal load: heavy p50", "normal load", |seen| seen.slow_p50 / 1e3, 2),
    ("heavy p99", "normal load", |seen| seen.slow_p99 / 1e3, 2),
    ("busy loops: fast p99", "busy loops", |seen| seen.fast_p99 / 1e3, 2),
    ("heavy p50", "busy loops", |seen| seen.slow_p50 / 1e3, 2),
    ("heavy p99", "busy loops", |seen| seen.slow_p99 / 1e3, 2),
];

/// A head, a scenario, a figure in milliseconds or answers a second, and its digits.
type Column = (&'static str, &'static str, Figure, usize);

const COLUMNS: [Column; 11] = [
    ("fast p50", "heavy", |seen| seen.fast_p50 / 1e3, 2),
    ("fast p99", "heavy", |seen| seen.fast_p99 / 1e3, 2),
    ("heavy p99", "heavy", |seen| seen.slow_p99 / 1e3, 2),
    ("mixed: fast p99", "mixed", |seen| seen.fast_p99 / 1e3, 2),
    ("mixed p50", "mixed", |seen| seen.slow_p50 / 1e3, 2),
    ("mixed p99", "mixed", |seen| seen.slow_p99 / 1e3, 2),
    ("overload: fast p99", "overload", |seen| seen.fast_p99 / 1e3, 2),
    ("heavy/s", "overload", |seen| seen.slow_rate, 0),
    ("two sizes: fast p99", "two sizes", |seen| seen.fast_p99 / 1e3, 2),
    ("20 µs p50", "two sizes", |seen| seen.cheap_p50 / 1e3, 2),
    ("p99 of both", "two sizes", |seen| seen.slow_p99 / 1e3, 2),
];

/// The percentiles of the plot.
const PERCENTILES: [(&str, Figure); 4] = [
    ("p50", |seen| seen.fast_p50),
    ("p90", |seen| seen.fast_p90),
    ("p99", |seen| seen.fast_p99),
    ("p99.9", |seen| seen.fast_p999),
];

pub(super) fn of(
    taken: &Taken<Seen>,
    beside: &Taken<Seen>,
    (warm_up, seconds): (f64, f64),
) -> Result<Report, Box<dyn Error>> {
    let mut report = Report::default();
    report.say("Medians; times in ms from when a request was due.");
    report.say(&format!("Samples of {seconds} s; {}", taken.how()));
    report.table(&figures(taken, &COLUMNS));
    if !beside.scenarios.is_empty() {
        report.say(&format!(
            "The heavy requests again, with a load of normal priority, and with two busy loops of \
             other processes beside a load of real-time priority, which runs for {} s there before it \
             counts; {}",
            warm_up,
            beside.how()
        ));
        report.table(&figures(beside, &COLUMNS_BESIDE));
    }
    report.say("What was aimed at, as ratios within a round:");
    let mut aimed = aims_table();
    aims(&mut aimed, taken, &AIMS);
    aims(&mut aimed, beside, &AIMS_BESIDE);
    report.table(&aimed);
    let samples = || taken.samples.iter().flatten().flatten();
    let mut late: Vec<f64> = samples().map(|sample| sample.seen.late_p99).collect();
    let worst = late.iter().copied().fold(0.0, f64::max);
    report.say(&format!(
        "The load itself sent its p99 request {:.0} µs late in the median sample, {worst:.0} µs in \
         the worst, which its contender is charged with.",
        median(&mut late)
    ));
    let sustained = taken.scenarios.iter().zip(&taken.samples);
    let sustained = sustained.filter(|(name, _)| **name != "overload");
    let unanswered: usize =
        sustained.flat_map(|(_, of)| of).flatten().map(|sample| sample.seen.unanswered).sum();
    report.say(&format!(
        "But at overload every request is waited for; {unanswered} had no answer, and count as \
         infinitely late."
    ));
    if let Some(s) = taken.scenario("heavy") {
        let lines: Vec<_> = taken
            .contenders
            .iter()
            .enumerate()
            .map(|(c, name)| {
                let points = PERCENTILES.iter().enumerate();
                (*name, points.map(|(at, (_, of))| (at, taken.median(s, c, of))).collect())
            })
            .collect();
        let names = PERCENTILES.map(|(name, _)| name);
        let title = "Fast requests beside heavy ones, by where those compute";
        let svg = plot::places(title, "µs", &names, &lines)?;
        report.plot("http.svg", "Latency percentiles of fast requests by placement", svg);
    }
    report.samples("http", taken);
    report.samples("http beside neighbours", beside);
    Ok(report)
}

/// A row for each contender.
fn figures(taken: &Taken<Seen>, columns: &[Column]) -> Table {
    let columns: Vec<_> =
        columns.iter().filter_map(|of| Some((of, taken.scenario(of.1)?))).collect();
    let heads = columns.iter().map(|((head, ..), _)| *head);
    let mut table = Table::new(1, [""].into_iter().chain(heads));
    for (c, name) in taken.contenders.iter().enumerate() {
        let cells =
            columns.iter().map(|((_, _, of, digits), s)| cell(taken.median(*s, c, of), *digits));
        table.row([(*name).to_owned()].into_iter().chain(cells));
    }
    table
}

/// A median; a request without an answer counts as infinitely late.
fn cell(median: f64, digits: usize) -> String {
    if median >= NEVER { "∞".to_owned() } else { figure(median, digits) }
}

fn aims_table() -> Table {
    Table::new(3, ["", "of", "against", "ratio", "bar", ""])
}

fn aims(table: &mut Table, taken: &Taken<Seen>, aims: &[Aim]) {
    for Aim { name, scenario, ours: own, figure, against, bar } in aims {
        let (Some(s), Some(ours)) = (taken.scenario(scenario), taken.place(own)) else { continue };
        let is_peer = |c: &usize| {
            let is_it = |of: &&contenders::Entry| of.name == taken.contenders[*c];
            contenders::ALL.iter().find(is_it).is_some_and(|of| of.kind == Kind::Peer)
        };
        let peers = (0..taken.contenders.len()).filter(is_peer);
        let peer = match (against, bar) {
            (Peer::Of(name), _) => taken.place(name),
            (Peer::Best, Bar::AtMost(_)) => taken.best(s, peers, figure),
            (Peer::Best, Bar::AtLeast(_)) => taken.best(s, peers, |seen| -figure(seen)),
        };
        let Some(peer) = peer else { continue };
        let estimate = taken.ratio(s, (ours, peer), figure);
        let against = taken.contenders[peer];
        let cells = [*name, *own, against, &ratio(estimate), &bar.sign(), bar.verdict(estimate)];
        table.row(cells.map(str::to_owned));
    }
}
