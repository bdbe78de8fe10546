//! `loom-bench http`: how compute affects the fast requests of a service.
//!
//! Each sample has a new service process and a new load process. Rounds are interleaved and their
//! order rotates. A sample during which other programs used the machine is repeated.

mod load;
mod neighbours;
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
pub(crate) use neighbours::{Neighbours, spin};
pub(crate) use schedule::{LoadOptions, Seen};
pub(crate) use server::{ServerOptions, serve};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 12, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// The seconds that count in each sample.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Only scenarios whose name starts with this.
    #[arg(long)]
    pub(crate) scenario: Option<String>,
    /// Only the scenarios that have bars.
    #[arg(long)]
    pub(crate) barred: bool,
    /// Only these contenders.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

/// If the load sends its p99 request later than this, in microseconds, the sample measures the load
/// itself, and counts as disturbed.
const MOST_LATE: f64 = 300.0;

/// How much longer the load runs before it counts, beside busy loops. Compute work changes its class
/// within the first second (`loom-bench watch`), and what waits by then has to be worked off.
const CLASS_SETTLES: f64 = 4.0;

/// One kind of load.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    fast: u32,
    slow: u32,
    micros: Option<u32>,
    /// One function with inputs of two sizes.
    is_two: bool,
    beside: Beside,
}

/// What runs on the machine beside the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    /// The load at real-time priority, as if it ran on another machine.
    Load,
    /// The load at normal priority.
    NormalLoad,
    /// The load at real-time priority, and two programs that never sleep, at normal priority.
    BusyLoops,
}

/// Each has 1000 fast requests a second. Beside them are: heavy requests that take 60 % of a CPU;
/// a mixture that takes 23 % of a CPU; more heavy requests than two CPUs can do; and a function
/// that mostly takes 20 µs and sometimes 2 ms, 32 % of a CPU.
pub(crate) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "heavy",
        fast: 1000,
        slow: 300,
        micros: Some(2000),
        is_two: false,
        beside: Beside::Load,
    },
    Scenario {
        name: "mixed",
        fast: 1000,
        slow: 600,
        micros: None,
        is_two: false,
        beside: Beside::Load,
    },
    Scenario {
        name: "overload",
        fast: 1000,
        slow: 1200,
        micros: Some(2000),
        is_two: false,
        beside: Beside::Load,
    },
    Scenario {
        name: "two sizes",
        fast: 1000,
        slow: 1000,
        micros: None,
        is_two: true,
        beside: Beside::Load,
    },
];

/// The heavy requests again, with neighbours.
pub(crate) const WITH_NEIGHBOURS: [Scenario; 2] = [
    Scenario {
        name: "normal load",
        fast: 1000,
        slow: 300,
        micros: Some(2000),
        is_two: false,
        beside: Beside::NormalLoad,
    },
    Scenario {
        name: "busy loops",
        fast: 1000,
        slow: 300,
        micros: Some(2000),
        is_two: false,
        beside: Beside::BusyLoops,
    },
];

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let (rounds, warm_up, seconds) = if options.quick {
        (Rounds::one(), 0.2, 0.5)
    } else {
        (Rounds::of(options.rounds), 1.0, options.seconds)
    };
    let is_wanted = |name: &&str| options.only.is_empty() || options.only.iter().any(|o| o == name);
    let contenders = |bench| -> Vec<_> {
        contenders::of(bench).into_iter().map(|entry| entry.name).filter(is_wanted).collect()
    };
    let prefix = options.scenario.as_deref().unwrap_or_default();
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    let names: Vec<_> = names
        .filter(|name| name.starts_with(prefix) && !(options.barred && *name == "mixed"))
        .collect();
    let neighbours: Vec<_> = WITH_NEIGHBOURS
        .iter()
        .map(|scenario| scenario.name)
        .filter(|name| name.starts_with(prefix))
        .collect();
    let steps = server::calibrate();
    let take = |names: &[&'static str], bench| {
        Taken::take(rounds, names, &contenders(bench), |name, contender, round| {
            let mut all = SCENARIOS.iter().chain(&WITH_NEIGHBOURS);
            let scenario = all.find(|scenario| scenario.name == name);
            let scenario = scenario.ok_or("a scenario of ours")?;
            sample(contender, scenario, steps, round as u64, warm_up, seconds)
        })
    };
    let taken = take(&names, Bench::Http)?;
    let beside = take(&neighbours, Bench::Neighbours)?;
    report::of(&taken, &beside, (warm_up * CLASS_SETTLES, seconds))
}

/// One service under one load: the figures, and the share of the machine that other programs took.
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
    let mut load = match scenario.beside {
        Beside::NormalLoad => Command::new(std::env::current_exe()?),
        Beside::Load | Beside::BusyLoops => load_command()?,
    };
    let (loops, warm_up) = match scenario.beside {
        Beside::BusyLoops => (2, warm_up * CLASS_SETTLES),
        Beside::Load | Beside::NormalLoad => (0, warm_up),
    };
    let neighbours = Neighbours::start(loops)?;
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
    under(load, &server, &neighbours)
}

/// Runs the load, and reads its figures.
pub(crate) fn under(
    mut load: Command,
    server: &Server,
    neighbours: &Neighbours,
) -> Result<Sample<Seen>, Box<dyn Error>> {
    let before = machine::Ticks::now()?;
    let ticks =
        || Ok::<_, Box<dyn Error>>(machine::process_ticks(server.0.id())? + neighbours.ticks()?);
    let idle = ticks()?;
    let output = load.stderr(Stdio::inherit()).output()?;
    let spent = ticks()? - idle;
    let after = machine::Ticks::now()?;
    if !output.status.success() {
        return Err(format!("the load failed: {}", output.status).into());
    }
    let seen: Seen = serde_json::from_slice(&output.stdout)?;
    let foreign = after.foreign_share(before, spent + seen.ticks);
    let is_spoilt = seen.late_p99 > MOST_LATE;
    Ok(Sample { seen, foreign, is_spoilt })
}

/// The load would better run on another machine. Here it runs with real-time priority where that
/// is allowed, so that the figures show the delay of the service and not of the load.
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

/// A service process, which ends when this is dropped.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        Ok(Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?))
    }

    /// The first line that the service prints.
    pub(crate) fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        let stdout = self.0.stdout.take().ok_or("the service has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The bench's own service ends when its input ends; any other is killed. Either may have
        // ended already.
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
