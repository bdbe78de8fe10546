//! The table: for each function, size and load, Loom beside the best and the worst fixed placement.

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};

use super::Options;
use super::functions::{FUNCTIONS, Work};
use super::program::{Seen, alone, rate};
use crate::report::{Report, Table, figure};
use crate::statistics::median;

/// How much of the machine the function takes.
const LOADS: [f64; 2] = [0.3, 0.8];
/// Loom, and the fixed placements.
const HOMES: [&str; 4] = ["loom", "inline", "blocking", "rayon"];
/// The figures of a cell, and how each is read.
type Read = fn(&Seen) -> f64;
const FIGURES: [(&str, Read); 3] =
    [("p50", |seen| seen.p50), ("p99", |seen| seen.p99), ("health p99", |seen| seen.health_p99)];
/// How far Loom may be from the best fixed placement: in nine cells of ten, and in any.
const USUAL: f64 = 1.1;
const MOST: f64 = 1.5;
/// Shorter answers count as this long, in microseconds: the clock of the answers has whole ones, and
/// below that a difference is one of single wake-ups.
const SHORTEST: f64 = 20.0;

/// The figures of one function at one size and load: Loom's, the best and the worst of the fixed
/// placements.
struct Cell {
    name: String,
    loom: [f64; 3],
    best: [f64; 3],
    worst: [f64; 3],
    offloaded: f64,
}

impl Cell {
    fn of(name: String, seen: &[Vec<Seen>]) -> Self {
        let of_home = |home: usize, read: Read| {
            median(&mut seen[home].iter().map(read).collect::<Vec<_>>()).max(SHORTEST)
        };
        let fixed = |read: Read, pick: fn(f64, f64) -> f64| {
            (1..HOMES.len()).map(|home| of_home(home, read)).reduce(pick).unwrap_or(f64::NAN)
        };
        Self {
            name,
            loom: FIGURES.map(|(_, read)| of_home(0, read)),
            best: FIGURES.map(|(_, read)| fixed(read, f64::min)),
            worst: FIGURES.map(|(_, read)| fixed(read, f64::max)),
            offloaded: median(&mut seen[0].iter().map(|seen| seen.offloaded).collect::<Vec<_>>()),
        }
    }

    fn to_best(&self) -> [f64; 3] {
        std::array::from_fn(|figure| self.loom[figure] / self.best[figure])
    }

    fn row(&self, table: &mut Table) {
        let cells = (0..FIGURES.len()).map(|at| {
            let (best, to_best) = (self.best[at], self.loom[at] / self.best[at]);
            format!("{}, {}, {}", milli(best), figure(to_best, 2), figure(self.worst[at] / best, 2))
        });
        let offloaded = figure(self.offloaded * 100.0, 0);
        table.row([self.name.clone()].into_iter().chain(cells).chain([offloaded]));
    }
}

fn milli(micros: f64) -> String {
    figure(micros / 1e3, 2)
}

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let mut report = Report::default();
    report.say(&format!(
        "Runs of {} s, medians of {} rounds that take turns. Each figure: the best fixed placement in ms \
         (inline, `spawn_blocking`, rayon with a oneshot), what Loom takes of it, and what the worst one \
         takes of it. The last column: what Loom offloads, in percent.",
        options.seconds, options.rounds
    ));
    let mut cells = Vec::new();
    for load in LOADS {
        let names = FIGURES.iter().map(|(name, _)| *name);
        let columns = ["function"].into_iter().chain(names).chain(["offloaded"]);
        let mut table = Table::new(1, columns);
        for (number, function) in FUNCTIONS.iter().enumerate() {
            if !function.name.contains(&options.function) {
                continue;
            }
            for (at, size) in function.sizes.iter().enumerate() {
                let work = (function.make)(*size)?;
                let (micros, seen) = taken(options, (number, at), load, &work)?;
                // The load that the rate makes, which is less for the shortest functions.
                let made = rate(load, micros) * micros / 1e4;
                let name = format!("{}, {size} {} ({made:.0} %)", function.name, function.unit);
                let cell = Cell::of(name, &seen);
                cell.row(&mut table);
                let (best, offloaded) = (cell.best.map(milli), figure(cell.offloaded * 100.0, 0));
                eprintln!(
                    "{}: {:.2?} of {best:?} ms, {offloaded} % offloaded",
                    cell.name,
                    cell.to_best()
                );
                cells.push(cell);
            }
        }
        report.pause();
        report.say(&format!(
            "At {:.0} % of the machine (in brackets: of one CPU, as far as requests can be made so fast):",
            load * 100.0
        ));
        report.table(&table);
    }
    verdict(&mut report, &cells);
    Ok(report)
}

/// The microseconds that the function takes alone, and what was seen in each placement. On a machine whose
/// speed changes, a load has to be made of what the function takes now, so each round measures it again;
/// and each round begins with another placement.
fn taken(
    options: &Options,
    function: (usize, usize),
    load: f64,
    work: &Work,
) -> Result<(f64, Vec<Vec<Seen>>), Box<dyn Error>> {
    let mut seen: Vec<Vec<Seen>> = HOMES.iter().map(|_| Vec::new()).collect();
    let mut took = Vec::new();
    for round in 0..options.rounds {
        let micros = alone(work);
        took.push(micros);
        for turn in 0..HOMES.len() {
            let home = (usize::try_from(round)? + turn) % HOMES.len();
            let mut program = Command::new(env::current_exe()?);
            program.args(["corpus-program", "--home", HOMES[home], "--load", &load.to_string()]);
            program.args(["--function", &function.0.to_string()]);
            program.args(["--size", &function.1.to_string()]);
            program.args(["--micros", &micros.to_string(), "--seed", &(round + 1).to_string()]);
            program.args(["--seconds", &options.seconds.to_string()]);
            let output = program.stderr(Stdio::null()).output()?;
            if !output.status.success() {
                return Err(
                    format!("the program `{}` failed: {}", HOMES[home], output.status).into()
                );
            }
            seen[home].push(serde_json::from_slice(&output.stdout)?);
        }
    }
    Ok((median(&mut took), seen))
}

fn verdict(report: &mut Report, cells: &[Cell]) {
    let far = |most: f64| {
        cells.iter().filter(|cell| cell.to_best().iter().any(|ratio| *ratio > most)).count()
    };
    let figures: Vec<f64> = cells.iter().flat_map(Cell::to_best).collect();
    let near = figures.iter().filter(|ratio| **ratio <= USUAL).count();
    let all = cells.len();
    report.say(&format!(
        "Loom is within {USUAL} of the best fixed placement in {near} of {} figures. All three figures are \
         in {} of {all} cells (aim: nine of ten), and within {MOST} in {} (aim: all).",
        figures.len(),
        all - far(USUAL),
        all - far(MOST),
    ));
    let rows: Vec<_> = cells
        .iter()
        .map(|cell| (&cell.name, cell.loom, cell.best, cell.worst, cell.offloaded))
        .collect();
    report.data("cells", rows);
}
