//! `loom-bench all`: every bench; writes their results into `docs/benchmarks.md`.

use std::error::Error;
use std::fs;
use std::time::Instant;

use serde_json::{Map, Value};

use crate::report::Report;
use crate::rounds::at_least_one;
use crate::{alloc, decide, http, local, macros, micro, page, plugins, regret, shed};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer and shorter rounds: about a quarter of an hour on two CPUs, with wider intervals.
    #[arg(long)]
    quick: bool,
    /// One short round of each bench, which shows that it works; the page does not change.
    #[arg(long, conflicts_with = "quick")]
    check: bool,
    /// Only the benches with these names; the page's other sections do not change.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// This many rounds instead of the usual number.
    #[arg(long, value_parser = at_least_one, conflicts_with = "check")]
    rounds: Option<usize>,
}

/// How thorough each bench is: one round to check that it works, quick, or in full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Check,
    Quick,
    Full,
}

#[derive(Clone, Copy)]
struct Extent {
    depth: Depth,
    /// Instead of the usual number of rounds.
    rounds: Option<usize>,
}

impl Extent {
    fn rounds(self, quick: usize, full: usize) -> usize {
        self.rounds.unwrap_or(if self.depth == Depth::Full { full } else { quick })
    }
}

/// Runs one bench.
type Run = fn(Extent) -> Result<Report, Box<dyn Error>>;

/// The benches, by their names on the page.
const BENCHES: [(&str, Run); 9] = [
    ("alloc", |extent| alloc::run(&alloc::Options { quick: extent.depth != Depth::Full })),
    ("micro", |extent| {
        micro::run(&micro::Options {
            quick: extent.depth == Depth::Check,
            rounds: extent.rounds(5, 15),
            millis: if extent.depth == Depth::Full { 150 } else { 60 },
            only: Vec::new(),
            scenario: None,
            barred: extent.depth != Depth::Full,
        })
    }),
    ("decide", |extent| {
        decide::run(&decide::Options {
            quick: extent.depth == Depth::Check,
            rounds: extent.rounds(7, 15),
        })
    }),
    ("local", |extent| {
        local::run(&local::Options {
            quick: extent.depth == Depth::Check,
            rounds: extent.rounds(3, 15),
        })
    }),
    ("plugins", |extent| {
        plugins::run(&plugins::Options {
            quick: extent.depth == Depth::Check,
            rounds: extent.rounds(5, 15),
        })
    }),
    ("regret", |extent| {
        regret::run(&regret::Options { quick: extent.depth == Depth::Check, brief: true, seed: 1 })
    }),
    ("http", |extent| {
        http::run(&http::Options {
            quick: extent.depth == Depth::Check,
            rounds: extent.rounds(3, 12),
            seconds: if extent.depth == Depth::Full { 3.0 } else { 1.0 },
            scenario: None,
            barred: extent.depth == Depth::Quick,
            only: Vec::new(),
        })
    }),
    ("shed", |extent| {
        shed::run(&shed::Options {
            quick: extent.depth == Depth::Check,
            rounds: extent.rounds(5, 9),
            seconds: if extent.depth == Depth::Full { 5.0 } else { 3.5 },
        })
    }),
    ("macros", |extent| {
        macros::run(&macros::Options {
            quick: extent.depth == Depth::Check,
            rounds: extent.rounds(5, 15),
            functions: 500,
        })
    }),
];

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let depth = match options {
        Options { check: true, .. } => Depth::Check,
        Options { quick: true, .. } => Depth::Quick,
        _ => Depth::Full,
    };
    let began = Instant::now();
    let mut failures = Vec::new();
    let unknown = |name: &&String| BENCHES.iter().all(|(known, _)| known != name);
    if let Some(name) = options.only.iter().find(unknown) {
        let names = BENCHES.map(|(name, _)| name).join(", ");
        return Err(format!("no bench is called `{name}`: expected one of {names}").into());
    }
    let path = page::root()?.join("docs/bench.json");
    let mut data: Map<String, Value> = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => Map::new(),
    };
    for (name, run) in BENCHES {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
            continue;
        }
        let started = Instant::now();
        eprintln!("== {name}");
        let report = run(Extent { depth, rounds: options.rounds })?;
        println!("## {name}\n\n{}", report.markdown.trim());
        if depth != Depth::Check {
            page::update(name, &report)?;
        }
        failures.extend(report.failures.iter().map(|failure| format!("{name}: {failure}")));
        data.insert(name.to_owned(), Value::Object(report.data));
        if depth != Depth::Check {
            // Written after each bench, so that text and data agree even if the run is interrupted.
            fs::write(&path, serde_json::to_string(&data)? + "\n")?;
        }
        eprintln!("== {name}: {:.0} s", started.elapsed().as_secs_f64());
    }
    eprintln!("all of it took {:.0} s", began.elapsed().as_secs_f64());
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ").into()) }
}
