//! `loom-bench macros`: what the attribute costs a build, and what a function costs in memory.
//!
//! The same functions are written in several styles, a crate each. The crates are compiled one after
//! another, round after round; their dependencies are compiled beforehand.
//!
//! - Checked: with the attribute, and by hand around `spawn_adaptive`.
//! - Built with optimisation: with the attribute, and by hand around `spawn_blocking`; the time, and
//!   the size of the code.
//!
//! What the functions take without either is subtracted, where it says so.

mod crates;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::at_least_one;
use crate::statistics::Estimate;

use crates::{Kind, Style};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds. A third of them builds with optimisation, which takes longer.
    #[arg(long, default_value_t = 11, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// How many functions each checked crate has. Crates that are built have a fifth of them.
    #[arg(long, default_value_t = 500)]
    pub(crate) functions: usize,
}

/// The highest time to check an annotated function, as a ratio to one around `spawn_adaptive`.
const MOST_CHECK: f64 = 1.25;
/// The highest time to build an annotated function, and the largest code, as ratios to those of a
/// function around `spawn_blocking`.
const MOST_BUILD: f64 = 1.5;
const MOST_CODE: f64 = 1.3;
/// The most memory of a function once it was called, in bytes.
const MOST_MEMORY: f64 = 4096.0;

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let folder = env::temp_dir().join(format!("loom-bench-macros-{}", std::process::id()));
    let mut report = Report::default();
    let result = measure(&folder, options, &mut report);
    // Removed whether or not the run succeeded.
    fs::remove_dir_all(&folder)?;
    result.map(|()| report)
}

fn measure(folder: &Path, options: &Options, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let Options { quick, rounds, functions } = *options;
    let (rounds, functions) = if quick { (1, 50) } else { (rounds, functions) };
    checks(folder, rounds, functions, report)?;
    let (rounds, functions) = (rounds.div_ceil(3), functions.div_ceil(5));
    if quick {
        return programs_are_right(folder, functions);
    }
    builds(folder, rounds, functions, report)?;
    memory(folder, functions, report)
}

/// Checks the programs without a build, which takes minutes.
fn programs_are_right(folder: &Path, functions: usize) -> Result<(), Box<dyn Error>> {
    let check = Compiler { folder, command: &["check", "--quiet"] };
    for style in [Style::Plain, Style::Blocking, Style::Attribute] {
        check.run(&crates::write(&folder.join(style.name()), Kind::Program, style, functions)?)?;
    }
    check.run(&crates::write(&folder.join("memory"), Kind::Counted, Style::Attribute, functions)?)
}

/// The time of `cargo check`.
fn checks(
    folder: &Path,
    rounds: usize,
    functions: usize,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let styles = [Style::Plain, Style::Adaptive, Style::Attribute];
    let check = Compiler { folder, command: &["check", "--quiet"] };
    let seconds = check.in_turns(Kind::Library, &styles, rounds, functions)?;
    report.say(&format!(
        "`cargo check` of {functions} functions, {rounds} interleaved rounds; medians, with 95 % \
         intervals."
    ));
    let mut table = Table::new(
        1,
        ["", "s", "beside `spawn-adaptive`", "the same, without what plain ones take"],
    );
    for (style, of_style) in styles.into_iter().zip(&seconds) {
        let beside = gross(of_style, &seconds[1]);
        let net = net(of_style, &seconds[1], &seconds[0]);
        let median = Estimate::of(of_style).median;
        table.row([style.name().to_owned(), figure(median, 2), ratio(beside), ratio(net)]);
        if style == Style::Attribute {
            report.data("beside_by_hand", [beside.median, beside.low, beside.high]);
            judge(report, "verdict", MOST_CHECK, beside);
        }
    }
    report.table(&table);
    Ok(())
}

/// The time of `cargo build --release`, and the size of its code.
fn builds(
    folder: &Path,
    rounds: usize,
    functions: usize,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let styles = [Style::Plain, Style::Blocking, Style::Attribute];
    let build = Compiler { folder, command: &["build", "--quiet", "--release"] };
    let seconds = build.in_turns(Kind::Program, &styles, rounds, functions)?;
    let code: Vec<f64> = styles
        .into_iter()
        .map(|style| code_size(&build.program(style)))
        .collect::<Result<_, _>>()?;
    report.say(&format!(
        "`cargo build --release` of {functions} functions and a call of each, {rounds} interleaved \
         rounds, and the code and constants of the program."
    ));
    let head = ["", "s", "beside `spawn-blocking`", "without what plain ones take"];
    let mut table =
        Table::new(1, head.into_iter().chain(["KB a function", "the same", "the same"]));
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let each = functions as f64 * 1e3;
    for ((style, of_style), size) in styles.into_iter().zip(&seconds).zip(&code) {
        let net = net(of_style, &seconds[1], &seconds[0]);
        let net_code = net_of(*size, code[1], code[0]);
        let median = Estimate::of(of_style).median;
        table.row([
            style.name().to_owned(),
            figure(median, 2),
            ratio(gross(of_style, &seconds[1])),
            ratio(net),
            figure((size - code[0]) / each, 2),
            figure(size / code[1], 2),
            figure(net_code, 2),
        ]);
        if style == Style::Attribute {
            judge(report, "build_verdict", MOST_BUILD, net);
            report.data("code_beside_spawn_blocking", net_code);
            let holds = if net_code <= MOST_CODE { "holds" } else { "**falls short**" };
            report.say(&format!("At most {MOST_CODE} of its code was aimed at: {holds}."));
        }
    }
    report.table(&table);
    Ok(())
}

/// What the calls of a program allocate and keep.
fn memory(folder: &Path, functions: usize, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let path = crates::write(&folder.join("memory"), Kind::Counted, Style::Attribute, functions)?;
    let build = Compiler { folder, command: &["build", "--quiet", "--release"] };
    build.run(&path)?;
    let output = Command::new(folder.join("target/release/memory")).output()?;
    let bytes: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let each = bytes / functions as f64;
    report.data("bytes_of_a_called_function", each);
    let holds = if each <= MOST_MEMORY { "holds" } else { "**falls short**" };
    report.say(&format!(
        "A function that was called once, by one thread, holds {each:.0} bytes of memory; at most \
         {MOST_MEMORY} was aimed at: {holds}."
    ));
    Ok(())
}

fn judge(report: &mut Report, name: &str, most: f64, beside: Estimate) {
    let verdict = Bar::AtMost(most).verdict(beside);
    report.data(name, verdict);
    report.say(&format!("At most {most} was aimed at: {verdict}."));
}

fn gross(own: &[f64], other: &[f64]) -> Estimate {
    Estimate::of(&own.iter().zip(other).map(|(own, other)| own / other).collect::<Vec<_>>())
}

/// The ratio without what plain functions take, round by round.
fn net(own: &[f64], other: &[f64], plain: &[f64]) -> Estimate {
    let rounds = own.iter().zip(other).zip(plain);
    let ratios: Vec<f64> =
        rounds.map(|((own, other), plain)| net_of(*own, *other, *plain)).collect();
    Estimate::of(&ratios)
}

fn net_of(own: f64, other: f64, plain: f64) -> f64 {
    (own - plain) / (other - plain)
}

/// A command of cargo's.
struct Compiler<'a> {
    folder: &'a Path,
    command: &'a [&'a str],
}

impl Compiler<'_> {
    /// Seconds of each round, by style.
    fn in_turns(
        &self,
        kind: Kind,
        styles: &[Style],
        rounds: usize,
        functions: usize,
    ) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
        let crates: Vec<PathBuf> = styles
            .iter()
            .map(|style| {
                let name = format!("{}-{}", self.command[0], style.name());
                crates::write(&self.folder.join(name), kind, *style, functions)
            })
            .collect::<Result<_, _>>()?;
        for path in &crates {
            self.run(path)?;
        }
        let mut seconds = vec![Vec::new(); crates.len()];
        for round in 0..rounds {
            for turn in 0..crates.len() {
                let which = (turn + round) % crates.len();
                // Cargo compiles a crate again when its source has a newer time.
                let source = crates[which].join(kind.source());
                fs::write(&source, fs::read(&source)?)?;
                let started = Instant::now();
                self.run(&crates[which])?;
                seconds[which].push(started.elapsed().as_secs_f64());
            }
        }
        Ok(seconds)
    }

    fn run(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(self.command)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            // The whole crate is compiled each time; incrementally, nothing would have changed.
            .env("CARGO_INCREMENTAL", "0")
            .current_dir(path)
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} does not compile", path.display()).into())
        }
    }

    fn program(&self, style: Style) -> PathBuf {
        self.folder.join("target/release").join(format!("build-{}", style.name()))
    }
}

/// The bytes of a program's code and constants, as `size` of the binutils prints them.
fn code_size(program: &Path) -> Result<f64, Box<dyn Error>> {
    let output = Command::new("size")
        .arg(program)
        .output()
        .map_err(|error| format!("`size`, which the binutils have, cannot be run: {error}"))?;
    let text = String::from_utf8(output.stdout)?;
    let size = text.lines().nth(1).and_then(|line| line.split_whitespace().next());
    let size = size.ok_or_else(|| format!("`size {}` prints no size", program.display()))?;
    Ok(size.parse()?)
}
