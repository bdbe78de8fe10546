//! `loom-bench micro`: what a call costs, by callers and by the length of its work.
//!
//! Each sample is a process of its own. Rounds are interleaved and their order rotates; a
//! sample during which others used the machine is repeated.

mod report;
mod sample;
mod scopes;

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::machine::{self, Ticks};
pub(crate) use sample::{SampleOptions, Seen, sample};

/// A sample counts as disturbed when others took more of the machine than this.
const MOST_FOREIGN: f64 = 0.03;
const MOST_REPEATS: usize = 4;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round: shows that the bench works, not what anything costs.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Milliseconds that a sample counts for.
    #[arg(long, default_value_t = 150)]
    millis: u64,
    /// Only these contenders.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only scenarios whose name starts so.
    #[arg(long)]
    scenario: Option<String>,
    /// Where every sample is written, a line of JSON each.
    #[arg(long)]
    samples: Option<PathBuf>,
}

/// So many tasks that each make one call after another.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) callers: usize,
    /// How long the work of a call takes.
    pub(crate) micros: u64,
}

const fn scenario(name: &'static str, callers: usize, micros: u64) -> Scenario {
    Scenario { name, callers, micros }
}

pub(crate) const SCENARIOS: [Scenario; 12] = [
    scenario("empty-1", 1, 0),
    scenario("empty-2", 2, 0),
    scenario("empty-4", 4, 0),
    scenario("empty-16", 16, 0),
    scenario("empty-64", 64, 0),
    scenario("empty-256", 256, 0),
    scenario("10us-1", 1, 10),
    scenario("10us-64", 64, 10),
    scenario("100us-1", 1, 100),
    scenario("100us-64", 64, 100),
    scenario("1ms-1", 1, 1000),
    scenario("1ms-64", 64, 1000),
];

/// `samples[scenario][contender]`, one of each round.
pub(crate) type Samples = Vec<Vec<Vec<Seen>>>;

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut log = options.samples.as_ref().map(File::create).transpose()?;
    let calls = group(options, &sample::CONTENDERS, &SCENARIOS, &mut log)?;
    report::print_calls(&calls);
    let scopes = group(options, &scopes::CONTENDERS, &scopes::SCENARIOS, &mut log)?;
    report::print_scopes(&scopes);
    let rest = Duration::from_secs(if options.quick { 1 } else { 10 });
    let share = sample::idle_share(rest)?;
    println!("A runtime that has made calls and makes none uses {share:.4} % of a CPU.\n");
    let [median, p99, most] = scopes::lateness(if options.quick { 20 } else { 400 });
    println!(
        "A task that its only I/O worker has ready when a scope of 5 ms begins starts {median:.0} \
         µs later in the median, {p99:.0} µs at the 99th percentile, {most:.0} µs at most.\n"
    );
    Ok(())
}

/// What was measured of some contenders in some scenarios.
pub(crate) struct Group {
    pub(crate) contenders: Vec<&'static str>,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) samples: Samples,
}

fn group(
    options: &Options,
    contenders: &'static [&'static str],
    scenarios: &'static [Scenario],
    log: &mut Option<File>,
) -> Result<Group, Box<dyn Error>> {
    let (rounds, millis) = if options.quick { (1, 20) } else { (options.rounds, options.millis) };
    let is_wanted =
        |name: &&str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let contenders: Vec<&str> = contenders.iter().copied().filter(is_wanted).collect();
    let prefix = options.scenario.as_deref().unwrap_or_default();
    let scenarios: Vec<&Scenario> =
        scenarios.iter().filter(|scenario| scenario.name.starts_with(prefix)).collect();
    let mut samples: Samples = vec![vec![Vec::new(); contenders.len()]; scenarios.len()];
    let (mut repeated, mut disturbed) = (0, 0);
    for round in 0..rounds {
        for (s, scenario) in scenarios.iter().enumerate() {
            for turn in 0..contenders.len() {
                // Whoever comes after whom changes from round to round.
                let c = (turn + round) % contenders.len();
                let mut attempt = 0;
                let seen = loop {
                    let (seen, foreign) = one(contenders[c], scenario.name, millis)?;
                    if foreign <= MOST_FOREIGN || options.quick {
                        break seen;
                    }
                    attempt += 1;
                    if attempt > MOST_REPEATS {
                        disturbed += 1;
                        break seen;
                    }
                    repeated += 1;
                };
                if let Some(log) = log {
                    let line = serde_json::json!({
                        "round": round, "scenario": scenario.name, "contender": contenders[c],
                        "seen": seen,
                    });
                    writeln!(log, "{line}")?;
                }
                samples[s][c].push(seen);
            }
        }
        eprintln!("round {} of {rounds}: {repeated} samples repeated so far", round + 1);
    }
    println!(
        "{rounds} interleaved rounds of {millis} ms a sample, each sample a process of its own; \
         {repeated} samples repeated because others used the machine, {disturbed} kept although \
         they did.\n"
    );
    Ok(Group { contenders, scenarios, samples })
}

/// One sample, and the share of the machine that others took meanwhile.
fn one(contender: &str, scenario: &str, millis: u64) -> Result<(Seen, f64), Box<dyn Error>> {
    let (before, own) = (Ticks::now()?, machine::children_ticks()?);
    let output = Command::new(std::env::current_exe()?)
        .args(["micro-sample", "--contender", contender, "--scenario", scenario])
        .args(["--millis", &millis.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the sample of {contender} failed: {}", output.status).into());
    }
    let spent = machine::children_ticks()? - own;
    let foreign = Ticks::now()?.foreign_share(before, spent);
    Ok((serde_json::from_slice(&output.stdout)?, foreign))
}
