//! The table of `loom-bench http`, and what its bars come to.

use crate::statistics::{Estimate, median};

use super::{SCENARIOS, Samples, Seen};

/// The split that fast requests are compared with: no compute ever touches its I/O thread.
const SPLIT: &str = "tokio-rayon 1+1";
const OURS: &str = "loom";
/// Computes on its I/O threads, and has fast requests wait for seconds at overload: there
/// for reference.
const INLINE: &str = "tokio";

type Figure = fn(&Seen) -> f64;

/// Something that a contender should keep within of another's figure.
struct Bar {
    name: &'static str,
    scenario: usize,
    ours: &'static str,
    figure: Figure,
    against: Peer,
    within: Direction,
}

enum Peer {
    Of(&'static str),
    /// Of those that offload, whose median is best: the smallest of times, the largest of
    /// rates.
    Best,
}

enum Direction {
    AtMost(f64),
    AtLeast(f64),
}

const fn bar(
    (scenario, name): (usize, &'static str),
    (ours, against): (&'static str, Peer),
    figure: Figure,
    within: Direction,
) -> Bar {
    Bar { name, scenario, ours, figure, against, within }
}

const BY_SIZE: &str = "loom by size";
const OFFLOADING: &str = "loom offloading";

const BARS: [Bar; 9] = [
    bar(
        (0, "fast p99 with heavy requests"),
        (OURS, Peer::Of(SPLIT)),
        |seen| seen.fast_p99,
        Direction::AtMost(1.5),
    ),
    bar(
        (2, "fast p99 at overload"),
        (OURS, Peer::Of(SPLIT)),
        |seen| seen.fast_p99,
        Direction::AtMost(1.0),
    ),
    bar((0, "heavy p99"), (OURS, Peer::Best), |seen| seen.slow_p99, Direction::AtMost(1.05)),
    bar(
        (2, "heavy answers a second at overload"),
        (OURS, Peer::Best),
        |seen| seen.slow_rate,
        Direction::AtLeast(0.97),
    ),
    bar(
        (3, "two sizes: p50 of 20 µs"),
        (BY_SIZE, Peer::Of(INLINE)),
        |seen| seen.cheap_p50,
        Direction::AtMost(1.1),
    ),
    bar(
        (3, "two sizes: fast p99"),
        (BY_SIZE, Peer::Of(SPLIT)),
        |seen| seen.fast_p99,
        Direction::AtMost(1.3),
    ),
    bar(
        (3, "two sizes: fast p99"),
        (OURS, Peer::Of(OFFLOADING)),
        |seen| seen.fast_p99,
        Direction::AtMost(1.05),
    ),
    bar(
        (3, "two sizes: p50 of 20 µs"),
        (OURS, Peer::Of(OFFLOADING)),
        |seen| seen.cheap_p50,
        Direction::AtMost(1.05),
    ),
    bar(
        (3, "two sizes: p99 of both"),
        (OURS, Peer::Of(OFFLOADING)),
        |seen| seen.slow_p99,
        Direction::AtMost(1.05),
    ),
];

pub(super) fn print(contenders: &[&str], samples: &Samples) {
    let of = |scenario: usize, contender: usize, figure: Figure| {
        let mut values: Vec<f64> = samples[scenario][contender].iter().map(figure).collect();
        median(&mut values)
    };
    println!("Medians over the rounds; times in ms from when the request was due.\n");
    println!(
        "| | fast p50 | fast p99 | heavy p99 | mixed: fast p99 | mixed p50 | mixed p99 | \
         overload: fast p99 | heavy/s | two sizes: fast p99 | 20 µs p50 | p99 of both |"
    );
    println!("| --- |{}", " ---: |".repeat(11));
    for (c, name) in contenders.iter().enumerate() {
        // Scenarios that were left out have no figure.
        let cell = |figure: f64, digits: usize| {
            if figure.is_nan() { "–".to_owned() } else { format!("{figure:.digits$}") }
        };
        let ms = |scenario, figure| cell(of(scenario, c, figure) / 1000.0, 2);
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            ms(0, |seen| seen.fast_p50),
            ms(0, |seen| seen.fast_p99),
            ms(0, |seen| seen.slow_p99),
            ms(1, |seen| seen.fast_p99),
            ms(1, |seen| seen.slow_p50),
            ms(1, |seen| seen.slow_p99),
            ms(2, |seen| seen.fast_p99),
            cell(of(2, c, |seen| seen.slow_rate), 0),
            ms(3, |seen| seen.fast_p99),
            ms(3, |seen| seen.cheap_p50),
            ms(3, |seen| seen.slow_p99),
        );
    }
    println!();
    for (s, scenario) in SCENARIOS.iter().enumerate() {
        let late = (0..contenders.len()).map(|c| of(s, c, |seen| seen.late_p99));
        let late = late.fold(0.0, f64::max);
        println!("{}: the load itself sent its p99 request {late:.0} µs late.", scenario.name);
    }
    println!();
    bars(contenders, samples, &of);
}

fn bars(contenders: &[&str], samples: &Samples, of: &dyn Fn(usize, usize, Figure) -> f64) {
    println!("| | of | against | ratio | 95 % interval | bar | |");
    println!("| --- | --- | --- | ---: | ---: | ---: | --- |");
    for Bar { name, scenario, ours: own, figure, against, within } in &BARS {
        let Some(ours) = contenders.iter().position(|name| name == own) else { continue };
        let value = |c: &usize| of(*scenario, *c, *figure);
        let is_peer = |c: &usize| ![OURS, BY_SIZE, OFFLOADING, INLINE].contains(&contenders[*c]);
        let peers = (0..contenders.len()).filter(is_peer);
        let peer = match (against, within) {
            (Peer::Of(name), _) => (0..contenders.len()).find(|c| contenders[*c] == *name),
            (Peer::Best, Direction::AtMost(_)) => {
                peers.min_by(|a, b| value(a).total_cmp(&value(b)))
            }
            (Peer::Best, Direction::AtLeast(_)) => {
                peers.max_by(|a, b| value(a).total_cmp(&value(b)))
            }
        };
        let Some(peer) = peer.filter(|peer| !samples[*scenario][*peer].is_empty()) else {
            continue;
        };
        let rounds = samples[*scenario][ours].iter().zip(&samples[*scenario][peer]);
        let ratios: Vec<f64> = rounds.map(|(a, b)| figure(a) / figure(b)).collect();
        let Estimate { median, low, high } = Estimate::of(&ratios);
        let (sign, limit, holds) = match within {
            Direction::AtMost(limit) => ("≤", *limit, median <= *limit),
            Direction::AtLeast(limit) => ("≥", *limit, median >= *limit),
        };
        let verdict = match holds {
            _ if low < limit && limit < high => "undecided",
            true => "holds",
            false => "missed",
        };
        println!(
            "| {name} | {own} | {} | {median:.2} | {low:.2} to {high:.2} | {sign} {limit} | {verdict} |",
            contenders[peer]
        );
    }
}
