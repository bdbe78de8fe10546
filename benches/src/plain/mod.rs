//! `loom-bench plain`: annotated functions in a plain tokio program, beside the same program on a runtime
//! of Loom's, and what the mode `observe` says beforehand.

mod program;

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};

use crate::report::{Report, Table, figure};
use crate::statistics::median;
use program::{FUNCTIONS, Seen};
pub(crate) use program::{ProgramOptions, program};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round at one load, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 7)]
    pub(crate) rounds: u64,
    /// The seconds of each run.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
}

/// The loads, and what they are as a share of one CPU.
const LOADS: [f64; 3] = [1.0, 2.0, 4.0];
/// The programs: their name, their runtime, and whether their functions only observe.
const PROGRAMS: [(&str, &str, bool); 5] = [
    ("Loom", "loom", false),
    ("plain tokio, annotated", "tokio", false),
    ("plain tokio, observing", "tokio", true),
    ("tokio alone", "inline", false),
    ("`spawn_blocking`", "blocking", false),
];
/// How far shares may be apart, in points.
const MOST_APART: f64 = 5.0;

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let (loads, rounds, seconds) = if options.quick {
        (&LOADS[..1], 1, 1.0)
    } else {
        (&LOADS[..], options.rounds, options.seconds)
    };
    let mut report = Report::default();
    report.say(&format!(
        "Five functions under open-loop load, runs of {seconds} s, medians of {rounds} rounds that take \
         turns; two I/O workers each. How far shares are apart is the median of the differences within a \
         round. The share of a function's calls that is offloaded, in percent; \
         `observing` is what the mode `observe` would have offloaded."
    ));
    let mut apart = [Apart::default(); 2];
    for load in loads {
        let mut seen: Vec<Vec<Seen>> = PROGRAMS.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for (of_program, (_, home, observes)) in seen.iter_mut().zip(PROGRAMS) {
                of_program.push(sample(home, observes, *load, seconds, round + 1)?);
            }
        }
        let of_cpu: f64 =
            FUNCTIONS.iter().map(|(micros, rate)| f64::from(*micros) * rate / 1e4).sum();
        report.pause();
        report.say(&format!("At {:.0} % of one CPU:", of_cpu * load));
        report.table(&shares(&seen, &mut apart));
        report.table(&times(&seen));
    }
    report.data("apart", apart.map(|apart| [apart.usual, apart.most]));
    let [plain, observed] = apart.map(|Apart { usual, most }| {
        let verdict = if usual <= MOST_APART { "holds" } else { "**falls short**" };
        format!(
            "{usual:.1} points at most ({verdict}: {MOST_APART} were aimed at; {most:.1} in a single round)"
        )
    });
    report
        .say(&format!("A plain program's shares differ from those of Loom's runtime by {plain}."));
    report.say(&format!("What `observe` says differs from what is then offloaded by {observed}."));
    Ok(report)
}

fn sample(
    home: &str,
    observes: bool,
    load: f64,
    seconds: f64,
    seed: u64,
) -> Result<Seen, Box<dyn Error>> {
    let mut program = Command::new(env::current_exe()?);
    program.args(["plain-program", "--home", home, "--load", &load.to_string()]);
    program.args(["--seconds", &seconds.to_string(), "--seed", &seed.to_string()]);
    if observes {
        program.env("LOOM_FUNCTIONS", "*=observe");
    }
    let output = program.stderr(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("the program `{home}` failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn median_of(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> f64 {
    median(&mut seen.iter().map(of).collect::<Vec<_>>())
}

fn name(micros: u32) -> String {
    if micros < 1000 { format!("{micros} µs") } else { format!("{} ms", micros / 1000) }
}

/// How far the shares of a function are apart in two programs, in points, for the function where they are
/// apart most. Runs that come one after the other are compared, since the machine may be slower for some
/// seconds, and shares with it.
#[derive(Clone, Copy, Default)]
struct Apart {
    /// The size of the median difference.
    usual: f64,
    /// The largest difference of a round.
    most: f64,
}

impl Apart {
    fn add(&mut self, one: &[Seen], other: &[Seen], f: usize) {
        let rounds = one.iter().zip(other);
        let mut apart: Vec<f64> =
            rounds.map(|(one, other)| (one.offloaded[f] - other.offloaded[f]) * 100.0).collect();
        self.most = apart.iter().fold(self.most, |most, points| most.max(points.abs()));
        self.usual = self.usual.max(median(&mut apart).abs());
    }
}

/// The shares that are offloaded; notes how far they are apart.
fn shares(seen: &[Vec<Seen>], apart: &mut [Apart; 2]) -> Table {
    let names = PROGRAMS[..3].iter().map(|(name, ..)| *name);
    let mut table = Table::new(1, ["function"].into_iter().chain(names));
    for (f, (micros, _)) in FUNCTIONS.iter().enumerate() {
        let percent: Vec<f64> = seen[..3]
            .iter()
            .map(|seen| median_of(seen, |seen| seen.offloaded[f]) * 100.0)
            .collect();
        let [loom, plain, observed] = &seen[..3] else { continue };
        apart[0].add(loom, plain, f);
        apart[1].add(plain, observed, f);
        let cells = percent.iter().map(|percent| figure(*percent, 1));
        table.row([name(*micros)].into_iter().chain(cells));
    }
    table
}

/// How long answers take from when they are due, in milliseconds: median and 99th percentile.
fn times(seen: &[Vec<Seen>]) -> Table {
    let names = PROGRAMS.iter().map(|(name, ..)| *name);
    let mut table = Table::new(1, ["answer, ms: p50, p99"].into_iter().chain(names));
    let functions = FUNCTIONS.iter().map(|(micros, _)| name(*micros));
    for (f, function) in functions.chain(["no function".to_owned()]).enumerate() {
        let cells = seen.iter().map(|seen| {
            let [p50, p99] =
                [median_of(seen, |seen| seen.p50[f]), median_of(seen, |seen| seen.p99[f])];
            format!("{}, {}", figure(p50 / 1e3, 2), figure(p99 / 1e3, 2))
        });
        table.row([function].into_iter().chain(cells));
    }
    table
}
