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

/// Something that Loom should keep within of a peer's figure.
struct Bar {
    name: &'static str,
    scenario: usize,
    figure: Figure,
    against: Peer,
    within: Direction,
}

enum Peer {
    Split,
    /// Of those that offload, whose median is best: the smallest of times, the largest of
    /// rates.
    Best,
}

enum Direction {
    AtMost(f64),
    AtLeast(f64),
}

const BARS: [Bar; 4] = [
    Bar {
        name: "fast p99 with heavy requests, to the split",
        scenario: 0,
        figure: |seen| seen.fast_p99,
        against: Peer::Split,
        within: Direction::AtMost(1.5),
    },
    Bar {
        name: "fast p99 at overload, to the split",
        scenario: 2,
        figure: |seen| seen.fast_p99,
        against: Peer::Split,
        within: Direction::AtMost(1.0),
    },
    Bar {
        name: "heavy p99, to the best peer",
        scenario: 0,
        figure: |seen| seen.slow_p99,
        against: Peer::Best,
        within: Direction::AtMost(1.05),
    },
    Bar {
        name: "heavy answers a second at overload, to the best peer",
        scenario: 2,
        figure: |seen| seen.slow_rate,
        against: Peer::Best,
        within: Direction::AtLeast(0.97),
    },
];

pub(super) fn print(contenders: &[&str], samples: &Samples) {
    let of = |scenario: usize, contender: usize, figure: Figure| {
        let mut values: Vec<f64> = samples[scenario][contender].iter().map(figure).collect();
        median(&mut values)
    };
    println!("Medians over the rounds; times in ms from when the request was due.\n");
    println!(
        "| | fast p50 | fast p99 | heavy p99 | mixed: fast p99 | mixed p50 | mixed p99 | \
         overload: fast p99 | heavy/s |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let ms = |micros: f64| micros / 1000.0;
    for (c, name) in contenders.iter().enumerate() {
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} |",
            ms(of(0, c, |seen| seen.fast_p50)),
            ms(of(0, c, |seen| seen.fast_p99)),
            ms(of(0, c, |seen| seen.slow_p99)),
            ms(of(1, c, |seen| seen.fast_p99)),
            ms(of(1, c, |seen| seen.slow_p50)),
            ms(of(1, c, |seen| seen.slow_p99)),
            ms(of(2, c, |seen| seen.fast_p99)),
            of(2, c, |seen| seen.slow_rate),
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
    let Some(ours) = contenders.iter().position(|name| *name == OURS) else { return };
    println!("| Loom's | against | ratio | 95 % interval | bar | |");
    println!("| --- | --- | ---: | ---: | ---: | --- |");
    for Bar { name, scenario, figure, against, within } in &BARS {
        let value = |c: &usize| of(*scenario, *c, *figure);
        let is_peer = |c: &usize| *c != ours && contenders[*c] != INLINE;
        let mut peers = (0..contenders.len()).filter(is_peer);
        let peer = match (against, within) {
            (Peer::Split, _) => peers.find(|c| contenders[*c] == SPLIT),
            (Peer::Best, Direction::AtMost(_)) => {
                peers.min_by(|a, b| value(a).total_cmp(&value(b)))
            }
            (Peer::Best, Direction::AtLeast(_)) => {
                peers.max_by(|a, b| value(a).total_cmp(&value(b)))
            }
        };
        let Some(peer) = peer else { continue };
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
            "| {name} | {} | {median:.2} | {low:.2} to {high:.2} | {sign} {limit} | {verdict} |",
            contenders[peer]
        );
    }
}
