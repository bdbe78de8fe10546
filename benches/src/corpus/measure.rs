//! The table: for each function, size and load, Loom beside the best and the worst fixed placement.

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};

use super::Options;
use super::functions::FUNCTIONS;
use super::program::{HOMES, Outcome, Round, Seen, rate};
use crate::report::{Report, Table, figure};
use crate::statistics::{Estimate, median};

/// How much of the machine the function takes.
const LOADS: [f64; 2] = [0.3, 0.8];
/// The placements, as the program numbers them.
const NAMES: [&str; HOMES] = ["loom", "inline", "blocking", "rayon"];
const LOOM: usize = 0;
/// The figures of a cell, and how each is read.
type Read = fn(&Seen) -> f64;
const FIGURES: [(&str, Read); 3] = [
    ("p50", |seen| seen.p50.max(SHORTEST)),
    ("p99", |seen| seen.p99.max(SHORTEST)),
    ("health p99", |seen| seen.health_p99.max(SHORTEST)),
];
/// How far Loom may be from the best fixed placement: in nine cells of ten, and in any.
const USUAL: f64 = 1.1;
const MOST: f64 = 1.5;
/// Shorter answers count as this long, in microseconds: the clock of the answers has whole ones, and
/// below that a difference is one of single wake-ups.
const SHORTEST: f64 = 20.0;

/// One figure of one function at one size and load.
struct Figure {
    /// The fixed placement with the least median, and that median in microseconds.
    best: usize,
    micros: f64,
    /// What each placement takes of the best one, in the same rounds.
    by_best: [Estimate; HOMES],
    /// What the best one takes of itself a round later: how far apart equal placements are here.
    by_itself: Estimate,
}

impl Figure {
    fn of(rounds: &[Round], read: Read) -> Self {
        let of_home = |home: usize| -> Vec<f64> {
            rounds.iter().map(|round| read(&round.seen[home])).collect()
        };
        let median_of = |home: usize| median(&mut of_home(home));
        let by_median = |a: &usize, b: &usize| median_of(*a).total_cmp(&median_of(*b));
        let best = (LOOM + 1..HOMES).min_by(by_median).unwrap_or(LOOM + 1);
        let by_best = |home: usize| {
            let ratios = of_home(home).into_iter().zip(of_home(best)).map(|(it, best)| it / best);
            Estimate::of(&ratios.collect::<Vec<_>>())
        };
        let of_best = of_home(best);
        let later = of_best.iter().cycle().skip(1);
        let by_itself: Vec<_> = of_best.iter().zip(later).map(|(it, later)| later / it).collect();
        Self {
            best,
            micros: median_of(best),
            by_best: std::array::from_fn(by_best),
            by_itself: Estimate::of(&by_itself),
        }
    }

    fn cell(&self) -> String {
        let loom = self.by_best[LOOM];
        let worst = self.by_best[LOOM + 1..].iter().map(|it| it.median).fold(1.0, f64::max);
        let [median, low, high] = [loom.median, loom.low, loom.high].map(|it| figure(it, 2));
        let micros = figure(self.micros / 1e3, 2);
        let best = NAMES[self.best];
        format!("{micros} ({best}), {median} ({low} to {high}), {}", figure(worst, 2))
    }
}

/// What was measured of one function at one size and load.
struct Cell {
    figures: [Figure; FIGURES.len()],
    /// The CPU time of a call: not a figure of the aim, but near saturation what delays depend on.
    cpu: Figure,
}

impl Cell {
    fn of(rounds: &[Round]) -> Self {
        let figures = FIGURES.map(|(_, read)| Figure::of(rounds, read));
        Self { figures, cpu: Figure::of(rounds, |seen| seen.cpu) }
    }
}

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let mut report = Report::default();
    report.say(&format!(
        "{} rounds, in each of which every placement has a turn of at least {} s in the same process. \
         Each figure: the median of the best fixed placement in ms, and which that is (inline, \
         `spawn_blocking`, rayon with a oneshot); what Loom takes of it, round by round, with a 95 % interval; \
         and what the worst one takes of it. A p99 of fewer than 100 calls is that of the slowest. The \
         last column: what Loom offloads, in percent.",
        options.rounds, options.seconds
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
                let Outcome { rounds, offloaded } = outcome(options, (number, at), load)?;
                let micros = median(&mut rounds.iter().map(|it| it.micros).collect::<Vec<_>>());
                // The load that the rate makes, which is less for the shortest functions.
                let made = rate(load, micros) * micros / 1e4;
                let name = format!("{}, {size} {} ({made:.0} %)", function.name, function.unit);
                let cell = Cell::of(&rounds);
                let figures = cell.figures.each_ref().map(Figure::cell);
                let offloaded = figure(offloaded * 100.0, 0);
                eprintln!("{name}: {}; {offloaded} % offloaded", figures.join("; "));
                table.row([name.clone()].into_iter().chain(figures).chain([offloaded]));
                report.data(&format!("{name} at {load}"), rounds);
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

fn outcome(
    options: &Options,
    function: (usize, usize),
    load: f64,
) -> Result<Outcome, Box<dyn Error>> {
    let mut program = Command::new(env::current_exe()?);
    program.args(["corpus-program", "--load", &load.to_string()]);
    program.args(["--function", &function.0.to_string(), "--size", &function.1.to_string()]);
    program.args(["--rounds", &options.rounds.to_string()]);
    program.args(["--seconds", &options.seconds.to_string()]);
    let output = program.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the program failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// How often each placement is near the best fixed one. A fixed placement has to be compared, too: none is
/// the best for all. So has the best one, with itself: its turns differ, too.
fn verdict(report: &mut Report, cells: &[Cell]) {
    report.say(&format!(
        "How far each placement is from the best fixed one, of {} figures in {} cells. Loom's aim: within \
         {USUAL} in nine cells of ten, and within {MOST} in all.",
        cells.len() * FIGURES.len(),
        cells.len()
    ));
    let columns = [
        String::new(),
        format!("figures within {USUAL}"),
        format!("cells within {USUAL}"),
        format!("cells within {MOST}"),
        "furthest".to_owned(),
        format!("cells that may be within {USUAL}"),
        format!("cells that may be within {MOST}"),
    ];
    let of_loom = FIGURES.map(|(name, _)| name).into_iter().chain(["CPU time of a call"]);
    let of_loom = of_loom.map(|name| format!("Loom's {name} by this"));
    let columns = columns.into_iter().chain(of_loom);
    let mut table = Table::new(1, columns);
    for (home, name) in NAMES.into_iter().enumerate() {
        let by_this = |read: &dyn Fn(&Cell) -> &Figure| {
            let ratios = cells.iter().map(|cell| &read(cell).by_best);
            figure(geometric_mean(ratios.map(|it| it[LOOM].median / it[home].median)), 2)
        };
        let row = nearness(cells, name, |figure| figure.by_best[home]);
        let means = (0..FIGURES.len()).map(|at| by_this(&|cell| &cell.figures[at]));
        table.row(row.into_iter().chain(means).chain([by_this(&|cell| &cell.cpu)]));
    }
    let row = nearness(cells, "the best one itself, a round later", |figure| figure.by_itself);
    table.row(row.into_iter().chain([const { String::new() }; FIGURES.len() + 1]));
    report.table(&table);
    report.say(
        "A cell may be within a bound where the intervals of all three figures reach below it. The last \
         columns are geometric means of all cells. The last row compares equals: no placement can be \
         expected to do better on this machine in so many rounds.",
    );
}

/// How many figures and cells are within the bounds, by the ratio that `read` takes.
fn nearness(cells: &[Cell], name: &str, read: impl Fn(&Figure) -> Estimate) -> [String; 7] {
    let figures = cells.iter().flat_map(|cell| &cell.figures);
    let figures: Vec<_> = figures.map(|figure| read(figure).median).collect();
    let cells_within = |end: fn(&Estimate) -> f64, most: f64| {
        let is_within = |cell: &&Cell| cell.figures.iter().all(|figure| end(&read(figure)) <= most);
        cells.iter().filter(is_within).count().to_string()
    };
    [
        name.to_owned(),
        figures.iter().filter(|it| **it <= USUAL).count().to_string(),
        cells_within(|it| it.median, USUAL),
        cells_within(|it| it.median, MOST),
        figure(figures.iter().copied().fold(1.0, f64::max), 2),
        cells_within(|it| it.low, USUAL),
        cells_within(|it| it.low, MOST),
    ]
}

fn geometric_mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let logs: Vec<f64> = ratios.map(f64::ln).collect();
    #[expect(clippy::cast_precision_loss, reason = "a number of cells")]
    let count = logs.len() as f64;
    (logs.iter().sum::<f64>() / count).exp()
}
