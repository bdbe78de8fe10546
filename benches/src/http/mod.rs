//! `loom-bench http`: what compute does to the fast requests of a service.
//!
//! Each sample is a fresh service process and a fresh load process. Rounds are interleaved
//! and their order rotates; a sample during which others used the machine is repeated.

mod load;
mod report;
mod schedule;
mod server;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::contenders::{self, Bench};
use crate::machine;
use crate::report::Report;
use crate::rounds::at_least_one;
use crate::rounds::{Rounds, Sample, Taken};
pub(crate) use load::load;
pub(crate) use schedule::{LoadOptions, Seen};
pub(crate) use server::{ServerOptions, serve};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round: shows that the bench works, not how long anything takes.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many rounds.
    #[arg(long, default_value_t = 12, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// Seconds that a sample counts for.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Only scenarios whose name starts so.
    #[arg(long)]
    pub(crate) scenario: Option<String>,
    /// Only the scenarios that bars are about.
    #[arg(long)]
    pub(crate) barred: bool,
    /// Only these contenders.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

/// A load that sends its p99 request so many microseconds late measures itself.
const MOST_LATE: f64 = 300.0;

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

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let (rounds, warm_up, seconds) = if options.quick {
        (Rounds::one(), 0.2, 0.5)
    } else {
        (Rounds::of(options.rounds), 1.0, options.seconds)
    };
    let is_wanted = |name: &&str| options.only.is_empty() || options.only.iter().any(|o| o == name);
    let contenders = contenders::of(Bench::Http).into_iter().map(|entry| entry.name);
    let contenders: Vec<_> = contenders.filter(is_wanted).collect();
    let prefix = options.scenario.as_deref().unwrap_or_default();
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    let names: Vec<_> = names
        .filter(|name| name.starts_with(prefix) && !(options.barred && *name == "mixed"))
        .collect();
    let steps = server::calibrate();
    let taken = Taken::take(rounds, &names, &contenders, |name, contender, round| {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.ok_or("a scenario of ours")?;
        sample(contender, scenario, steps, round as u64, warm_up, seconds)
    })?;
    report::of(&taken, seconds)
}

/// One service under one load: what was seen, and the share of the machine others took.
fn sample(
    contender: &str,
    scenario: &Scenario,
    steps: u64,
    seed: u64,
    warm_up: f64,
    length: f64,
) -> Result<Sample<Seen>, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["http-server", "--contender", contender, "--steps", &steps.to_string()]);
    let mut server = Server::start(&mut command)?;
    let port = server.line()?;
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
    if scenario.name != "overload" {
        load.arg("--finish");
    }
    under(load, &server)
}

/// Has the load run, and takes what it has seen.
pub(crate) fn under(mut load: Command, server: &Server) -> Result<Sample<Seen>, Box<dyn Error>> {
    let before = machine::Ticks::now()?;
    let idle = machine::process_ticks(server.0.id())?;
    let output = load.stderr(Stdio::inherit()).output()?;
    let spent = machine::process_ticks(server.0.id())? - idle;
    let after = machine::Ticks::now()?;
    if !output.status.success() {
        return Err(format!("the load failed: {}", output.status).into());
    }
    let seen: Seen = serde_json::from_slice(&output.stdout)?;
    let foreign = after.foreign_share(before, spent + seen.ticks);
    let is_spoilt = seen.late_p99 > MOST_LATE;
    Ok(Sample { seen, foreign, is_spoilt })
}

/// The load belongs on another machine. Here it takes a CPU at once where it may, so that
/// what is measured is how late the service is, not the load.
pub(crate) fn load_command() -> Result<Command, Box<dyn Error>> {
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

/// A service, which ends with this.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        Ok(Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?))
    }

    /// The first line that it prints.
    pub(crate) fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        let stdout = self.0.stdout.take().ok_or("the service has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The bench's own ends when its input does; any other is killed. It may be gone already.
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
