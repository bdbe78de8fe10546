//! `loom-bench macros`: the attribute's cost in compile time.
//!
//! Three crates have the same functions: with the attribute, as hand-written `async fn`s around
//! `spawn_adaptive`, and plain. They are checked one after another, round after round. Their
//! dependencies are checked beforehand.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::at_least_one;
use crate::statistics::Estimate;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 11, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// How many functions each crate has.
    #[arg(long, default_value_t = 500)]
    pub(crate) functions: usize,
}

/// How the functions of a crate are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    ByHand,
    Attribute,
}

impl Style {
    const ALL: [Self; 3] = [Self::Plain, Self::ByHand, Self::Attribute];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::ByHand => "by-hand",
            Self::Attribute => "attribute",
        }
    }
}

/// The highest compile time of an annotated function, as a ratio to a hand-written one.
const MOST: f64 = 1.25;

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let (rounds, functions) =
        if options.quick { (1, 50) } else { (options.rounds, options.functions) };
    let folder = env::temp_dir().join(format!("loom-bench-macros-{}", std::process::id()));
    let result = measure(&folder, rounds, functions);
    // Removed whether or not the run succeeded.
    fs::remove_dir_all(&folder)?;
    let seconds = result?;
    let mut report = Report::default();
    report.say(&format!(
        "`cargo check` of {functions} functions, {rounds} interleaved rounds; medians, with 95 % \
         intervals."
    ));
    let mut table =
        Table::new(1, ["", "s", "beside by hand", "the same, without what plain ones take"]);
    for (style, of_style) in Style::ALL.into_iter().zip(&seconds) {
        let ratios: Vec<f64> = of_style.iter().zip(&seconds[1]).map(|(a, b)| a / b).collect();
        let beside = Estimate::of(&ratios);
        let median = Estimate::of(of_style).median;
        let rounds = of_style.iter().zip(&seconds[1]).zip(&seconds[0]);
        let net: Vec<f64> =
            rounds.map(|((own, by_hand), plain)| (own - plain) / (by_hand - plain)).collect();
        let net = ratio(Estimate::of(&net));
        table.row([style.name().to_owned(), figure(median, 2), ratio(beside), net]);
        if style == Style::Attribute {
            report.data("beside_by_hand", [beside.median, beside.low, beside.high]);
            report.data("verdict", Bar::AtMost(MOST).verdict(beside));
        }
    }
    report.table(&table);
    let verdict = report.data.get("verdict").and_then(|verdict| verdict.as_str());
    let sentence = format!("At most {MOST} was aimed at: {}.", verdict.unwrap_or_default());
    report.say(&sentence);
    Ok(report)
}

/// Seconds of each round, by style.
fn measure(
    folder: &Path,
    rounds: usize,
    functions: usize,
) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let crates: Vec<PathBuf> = Style::ALL
        .into_iter()
        .map(|style| write_crate(&folder.join(style.name()), style, functions))
        .collect::<Result<_, _>>()?;
    for path in &crates {
        check(folder, path)?;
    }
    let mut seconds = vec![Vec::new(); crates.len()];
    for round in 0..rounds {
        for turn in 0..crates.len() {
            let which = (turn + round) % crates.len();
            // Cargo checks a crate again when its source has a newer time.
            let source = crates[which].join("src/lib.rs");
            fs::write(&source, fs::read(&source)?)?;
            let started = Instant::now();
            check(folder, &crates[which])?;
            seconds[which].push(started.elapsed().as_secs_f64());
        }
    }
    Ok(seconds)
}

fn check(folder: &Path, path: &Path) -> Result<(), Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["check", "--quiet"])
        .env("CARGO_TARGET_DIR", folder.join("target"))
        // The whole crate is checked each time; incrementally, nothing would have changed.
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(path)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} does not compile", path.display()).into())
    }
}

fn write_crate(path: &Path, style: Style, functions: usize) -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the bench has a workspace")?;
    fs::create_dir_all(path.join("src"))?;
    let manifest = format!(
        "[workspace]\n[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\nloom-runtime = {{ path = '{}' }}\n",
        style.name(),
        root.join("loom-runtime").display()
    );
    fs::write(path.join("Cargo.toml"), manifest)?;
    fs::copy(root.join("Cargo.lock"), path.join("Cargo.lock"))?;
    let mut code = String::from("pub struct Cart(pub Vec<u32>);\n");
    for n in 0..functions {
        write_function(&mut code, style, n)?;
    }
    fs::write(path.join("src/lib.rs"), code)?;
    Ok(path.to_owned())
}

/// Writes a function of one of five shapes.
fn write_function(code: &mut String, style: Style, n: usize) -> std::fmt::Result {
    let (attribute, before, after) = match style {
        Style::Plain => ("", "", ""),
        Style::ByHand => ("", "loom::spawn_adaptive(move || ", ").await"),
        Style::Attribute => ("#[loom::compute]\n", "", ""),
    };
    let fn_ = if style == Style::ByHand { "async fn" } else { "fn" };
    match n % 5 {
        0 => writeln!(
            code,
            "{attribute}pub {fn_} f{n}(text: String) -> usize {{ {before} {{\n    let words = \
             text.split(' ').map(str::len);\n    words.filter(|n| *n > {n}).sum()\n}} {after} }}"
        ),
        1 => writeln!(
            code,
            "{attribute}pub {fn_} f{n}(text: String, n: u64) -> Result<u64, \
             std::num::ParseIntError> {{ {before} {{\n    if text.is_empty() {{\n        return \
             Ok(n);\n    }}\n    let parsed: u64 = text.parse()?;\n    Ok(parsed + n)\n}} {after} }}"
        ),
        2 => writeln!(
            code,
            "{attribute}pub {fn_} f{n}<T: ToString + Send + 'static>(items: Vec<T>) -> String {{ \
             {before} {{\n    let items: Vec<String> = items.iter().map(T::to_string).collect();\n    \
             items.join(\",\")\n}} {after} }}"
        ),
        3 => writeln!(
            code,
            "impl Cart {{\n{attribute}pub {fn_} f{n}(self, discount: u32) -> u32 {{ {before} {{\n    \
             self.0.iter().sum::<u32>() - discount\n}} {after} }}\n}}"
        ),
        _ => writeln!(
            code,
            "{attribute}pub {fn_} f{n}((width, height): (u32, u32), mut pixels: Vec<u8>) -> \
             Vec<u8> {{ {before} {{\n    for row in 0..height {{\n        for column in 0..width {{\n\
             pixels[(row * width + column) as usize] ^= {};\n        }}\n    }}\n    \
             pixels\n}} {after} }}",
            n % 256
        ),
    }
}
