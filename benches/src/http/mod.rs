//! `loom-bench http`: what compute does to the fast requests of a service.
//!
//! Each sample is a fresh service process and a fresh load process. Rounds are interleaved
//! and their order rotates; a sample during which others used the machine is repeated.

mod load;

mod report;
mod server;

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::machine;
pub(crate) use load::{LoadOptions, Seen, load};
use server::CONTENDERS;
pub(crate) use server::{ServerOptions, serve};

/// A sample counts as disturbed when others took more of the machine than this.
const MOST_FOREIGN: f64 = 0.03;
const MOST_REPEATS: usize = 4;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round: shows that the bench works, not how long anything takes.
    #[arg(long)]
    quick: bool,
    /// How many rounds.
    #[arg(long, default_value_t = 12)]
    rounds: usize,
    /// Seconds that a sample counts for.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Only scenarios whose name starts so.
    #[arg(long)]
    scenario: Option<String>,
    /// Only these contenders.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where every sample is written, a line of JSON each.
    #[arg(long)]
    samples: Option<PathBuf>,
}

/// One kind of load.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    fast: u32,
    slow: u32,
    micros: Option<u32>,
    /// One function with inputs of two sizes.
    is_two: bool,
}

/// 1000 fast requests a second throughout; beside them, 60 % of a CPU of heavy ones, a
/// mixture that takes 23 % of one, more heavy ones than two CPUs can do, and a function that
/// takes 20 µs mostly and 2 ms at times, 32 % of one.
pub(crate) const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "heavy", fast: 1000, slow: 300, micros: Some(2000), is_two: false },
    Scenario { name: "mixed", fast: 1000, slow: 600, micros: None, is_two: false },
    Scenario { name: "overload", fast: 1000, slow: 1200, micros: Some(2000), is_two: false },
    Scenario { name: "two sizes", fast: 1000, slow: 1000, micros: None, is_two: true },
];

/// `samples[scenario][contender]`, one of each round.
pub(crate) type Samples = Vec<Vec<Vec<Seen>>>;

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (rounds, warm_up, seconds) =
        if options.quick { (1, 0.2, 0.5) } else { (options.rounds, 1.0, options.seconds) };
    let chosen: Vec<&str> = CONTENDERS
        .into_iter()
        .filter(|name| options.only.is_empty() || options.only.iter().any(|only| only == name))
        .collect();
    let steps = server::calibrate();
    let mut log = options.samples.as_ref().map(std::fs::File::create).transpose()?;
    let mut samples: Samples = vec![vec![Vec::new(); chosen.len()]; SCENARIOS.len()];
    let mut repeated = 0;
    let mut disturbed = 0;
    for round in 0..rounds {
        for (s, scenario) in SCENARIOS.iter().enumerate() {
            if !scenario.name.starts_with(options.scenario.as_deref().unwrap_or_default()) {
                continue;
            }
            for turn in 0..chosen.len() {
                // Whoever comes after whom changes from round to round.
                let c = (turn + round) % chosen.len();
                let mut attempt = 0;
                let seen = loop {
                    let (seen, foreign) =
                        sample(chosen[c], scenario, steps, round as u64, warm_up, seconds)?;
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
                if let Some(log) = &mut log {
                    let line = serde_json::json!({
                        "round": round, "scenario": scenario.name, "contender": chosen[c],
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
        "{rounds} interleaved rounds of {seconds} s a sample, each sample with processes of its \
         own; {repeated} samples repeated because others used the machine, {disturbed} kept \
         although they did.\n"
    );
    report::print(&chosen, &samples);
    Ok(())
}

/// One service under one load: what was seen, and the share of the machine others took.
fn sample(
    contender: &str,
    scenario: &Scenario,
    steps: u64,
    seed: u64,
    warm_up: f64,
    length: f64,
) -> Result<(Seen, f64), Box<dyn Error>> {
    let mut server = Server(
        Command::new(std::env::current_exe()?)
            .args(["http-server", "--contender", contender, "--steps", &steps.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut port = String::new();
    let stdout = server.0.stdout.take().ok_or("the service has no output")?;
    BufReader::new(stdout).read_line(&mut port)?;
    let mut load = load_command()?;
    load.args(["http-load", "--port", port.trim(), "--seed", &seed.to_string()])
        .args(["--fast", &scenario.fast.to_string(), "--slow", &scenario.slow.to_string()])
        .args(["--warm-up", &warm_up.to_string(), "--seconds", &length.to_string()]);
    if let Some(micros) = scenario.micros {
        load.args(["--micros", &micros.to_string()]);
    }
    if scenario.is_two {
        load.arg("--two");
    }
    let before = machine::Ticks::now()?;
    let idle = machine::process_ticks(server.0.id())?;
    let output = load.stderr(Stdio::inherit()).output()?;
    let spent = machine::process_ticks(server.0.id())? - idle;
    let after = machine::Ticks::now()?;
    if !output.status.success() {
        return Err(format!("the load on {contender} failed: {}", output.status).into());
    }
    let answers: Seen = serde_json::from_slice(&output.stdout)?;
    let foreign = after.foreign_share(before, spent + answers.ticks);
    Ok((answers, foreign))
}

/// The load belongs on another machine. Here it takes a CPU at once where it may, so that
/// what is measured is how late the service is, not the load.
fn load_command() -> Result<Command, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let real_time = ["--fifo", "1"];
    let allowed = Command::new("chrt").args(real_time).arg("true").stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("chrt");
    command.args(real_time).arg(program);
    Ok(command)
}

/// Ends its process with it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when its input does; it is already gone where this fails.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
