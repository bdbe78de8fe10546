//! The tables of `loom-bench micro`.

use super::{Group, Seen};
use crate::statistics::{Estimate, median};

/// Those that leave the thread that asks, and are not ours: what Loom is compared with.
const PEERS: [&str; 5] =
    ["spawn_blocking", "rayon-oneshot", "tokio-rayon", "tokio-rayon-1+1", "loom-rs"];

pub(super) fn print_calls(group: &Group) {
    println!("Nanoseconds a call, and in parentheses the allocations; medians.\n");
    print_times(group);
    println!("\nLoom's time to that of the best peer that offloads: the median of the rounds'");
    println!("ratios, and the interval that holds 95 % of such medians.\n");
    print_ratios(group, &PEERS, &["loom", "loom-split", "loom-adaptive"]);
}

pub(super) fn print_scopes(group: &Group) {
    println!("Nanoseconds a scope of two pieces of work, one caller; medians.\n");
    print_times(group);
    println!("\nLoom's time to that of `rayon::scope` with a oneshot channel, as above.\n");
    print_ratios(group, &["rayon-scope-oneshot"], &["loom-scope", "loom-scope-with"]);
}

fn print_times(Group { contenders, scenarios, samples }: &Group) {
    print!("| callers | work |");
    for name in contenders {
        print!(" {name} |");
    }
    println!("\n| ---: | ---: |{}", " ---: |".repeat(contenders.len()));
    for (scenario, samples) in scenarios.iter().zip(samples) {
        print!("| {} | {} µs |", scenario.callers, scenario.micros);
        for seen in samples {
            let nanos = of(seen, |seen| seen.nanos);
            let allocations = of(seen, |seen| seen.allocations);
            print!(" {nanos:.0} ({allocations:.2}) |");
        }
        println!();
    }
}

fn print_ratios(group: &Group, peers: &[&str], ours: &[&str]) {
    let Group { contenders, scenarios, samples } = group;
    println!("| callers | work | best peer | {} |", ours.join(" | "));
    println!("| ---: | ---: | --- |{}", " ---: |".repeat(ours.len()));
    for (scenario, samples) in scenarios.iter().zip(samples) {
        let peers = contenders.iter().zip(samples).filter(|(name, _)| peers.contains(name));
        let best =
            peers.min_by(|a, b| of(a.1, |seen| seen.nanos).total_cmp(&of(b.1, |seen| seen.nanos)));
        let Some((best, peer)) = best else { continue };
        print!("| {} | {} µs | {best} |", scenario.callers, scenario.micros);
        for ours in ours {
            let at = contenders.iter().position(|name| name == ours);
            match at.map(|at| ratio(&samples[at], peer)) {
                Some(Estimate { median, low, high }) => {
                    print!(" {median:.2} ({low:.2} to {high:.2}) |");
                }
                None => print!(" |"),
            }
        }
        println!();
    }
    println!();
}

fn of(seen: &[Seen], figure: impl Fn(&Seen) -> f64) -> f64 {
    median(&mut seen.iter().map(figure).collect::<Vec<_>>())
}

fn ratio(ours: &[Seen], peer: &[Seen]) -> Estimate {
    let ratios: Vec<f64> = ours.iter().zip(peer).map(|(a, b)| a.nanos / b.nanos).collect();
    Estimate::of(&ratios)
}
