//! `loom-bench micro`: the cost of a call, by callers and by the length of its work; the cost of
//! two pieces of parallel work; the CPU time of an idle runtime; and what tracking adds to a task,
//! and watching to a poll.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::LoomBuilder;

use crate::contenders::{self, Bench, Contender, Kind, Visit, make};
use crate::machine;
use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::at_least_one;
use crate::rounds::{Rounds, Taken, in_a_process};
use crate::sample::{Seen, calls};
use crate::spawn;
use crate::watched;
use crate::work::burn;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// The milliseconds that count in each sample.
    #[arg(long, default_value_t = 150)]
    pub(crate) millis: u64,
    /// Only these contenders.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Only scenarios whose name starts with this.
    #[arg(long)]
    pub(crate) scenario: Option<String>,
    /// Only the scenarios that have bars.
    #[arg(long)]
    pub(crate) barred: bool,
}

/// `callers` tasks, each of which makes one call of `micros` microseconds after another.
struct Scenario {
    name: &'static str,
    callers: usize,
    micros: u64,
}

const fn scenario(name: &'static str, callers: usize, micros: u64) -> Scenario {
    Scenario { name, callers, micros }
}

const CALLS: [Scenario; 12] = [
    scenario("1 caller, empty", 1, 0),
    scenario("2 callers, empty", 2, 0),
    scenario("4 callers, empty", 4, 0),
    scenario("16 callers, empty", 16, 0),
    scenario("64 callers, empty", 64, 0),
    scenario("256 callers, empty", 256, 0),
    scenario("1 caller, 10 µs", 1, 10),
    scenario("64 callers, 10 µs", 64, 10),
    scenario("1 caller, 100 µs", 1, 100),
    scenario("64 callers, 100 µs", 64, 100),
    scenario("1 caller, 1 ms", 1, 1000),
    scenario("64 callers, 1 ms", 64, 1000),
];
const PAIRS: [Scenario; 3] = [
    scenario("two empty pieces", 1, 0),
    scenario("two of 20 µs", 1, 20),
    scenario("two of 500 µs", 1, 500),
];

const OFFLOAD: &str = "loom offload";
const SPLIT: &str = "loom offload split";
const SCOPE: &str = "loom scope";
const OWNED: &str = "loom scope owned";
/// The hand-written equivalent that scopes are compared with.
const BY_HAND: &str = "rayon + oneshot";

/// The bars: the contender, the scenario, and the highest ratio to the best peer that offloads, or
/// to a hand-written scope.
const CALL_BARS: [(&str, &str, f64); 3] = [
    (OFFLOAD, "1 caller, empty", 0.6),
    (OFFLOAD, "64 callers, empty", 0.5),
    (SPLIT, "64 callers, empty", 0.5),
];
const PAIR_BARS: [(&str, &str, f64); 6] = [
    (SCOPE, "two empty pieces", 1.0),
    (SCOPE, "two of 20 µs", 1.0),
    (SCOPE, "two of 500 µs", 1.0),
    (OWNED, "two empty pieces", 0.8),
    (OWNED, "two of 20 µs", 0.8),
    (OWNED, "two of 500 µs", 0.8),
];

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let mut report = Report::default();
    let bars = |name: &str| CALL_BARS.iter().any(|(_, of, _)| *of == name);
    let taken = take(options, "calls", Bench::Calls, &CALLS, &|name| {
        bars(name) || name.starts_with("64") || name.starts_with("16 ")
    })?;
    report.say("Nanoseconds a call, by callers at once and by the work of a call; medians.");
    report.say(&taken.how());
    report.table(&times(&taken));
    report.say(
        "Loom's time to that of the best peer that offloads: the median of the rounds' ratios, and \
         the interval that holds 95 % of such medians.",
    );
    report.table(&ratios(&taken, &[OFFLOAD, SPLIT, "loom"], None));
    report.samples("calls", &taken);

    let pairs = take(options, "pairs", Bench::Pairs, &PAIRS, &|_| true)?;
    report
        .say("Nanoseconds for two pieces of parallel work and both results, one caller; medians.");
    report.table(&times(&pairs));
    report.say("To `rayon::scope` with a oneshot channel, as above.");
    report.table(&ratios(&pairs, &[SCOPE, OWNED], Some(BY_HAND)));
    report.samples("pairs", &pairs);

    report.say("What was aimed at:");
    let mut table = Table::new(2, ["", "", "ratio", "bar", ""]);
    let bars = CALL_BARS.iter().map(|bar| (bar, &taken, None));
    let bars = bars.chain(PAIR_BARS.iter().map(|bar| (bar, &pairs, Some(BY_HAND))));
    for ((ours, name, limit), taken, against) in bars {
        let Some((estimate, _)) = beside(taken, ours, name, against) else { continue };
        let bar = Bar::AtMost(*limit);
        let cells = [*ours, *name, &ratio(estimate), &bar.sign(), bar.verdict(estimate)];
        table.row(cells.map(str::to_owned));
    }
    report.table(&table);
    beside_calls(&mut report, options.quick)?;
    spawn::add(&mut report, options.quick);
    watched::add(&mut report, options.quick);
    watched::add_requests(&mut report, options.quick)?;
    Ok(report)
}

/// Figures beside calls: an idle runtime, and the delay of tasks beside a scope.
fn beside_calls(report: &mut Report, quick: bool) -> Result<(), Box<dyn Error>> {
    let rest = Duration::from_secs(if quick { 1 } else { 5 });
    let share = make(OFFLOAD, Idle(rest)).ok_or("loom is a contender")??;
    report
        .say(&format!("A runtime that has made calls and makes none uses {share:.4} % of a CPU."));
    let [median, p99, most] = lateness(if quick { 20 } else { 300 });
    report.say(&format!(
        "A task that its only I/O worker has ready when a scope of 5 ms begins starts {median:.0} \
         µs later in the median, {p99:.0} µs at the 99th percentile, {most:.0} µs at most."
    ));
    report.data("idle_percent_of_a_cpu", share);
    report.data("late_beside_a_scope_us", [median, p99, most]);
    Ok(())
}

fn take(
    options: &Options,
    kind: &str,
    bench: Bench,
    scenarios: &'static [Scenario],
    is_barred: &dyn Fn(&str) -> bool,
) -> Result<Taken<Seen>, Box<dyn Error>> {
    let (rounds, millis) = if options.quick {
        (Rounds::one(), 20)
    } else {
        (Rounds::of(options.rounds), options.millis)
    };
    let is_wanted = |name: &&str| options.only.is_empty() || options.only.iter().any(|o| o == name);
    let contenders = contenders::of(bench).into_iter().map(|entry| entry.name);
    let contenders: Vec<_> = contenders.filter(is_wanted).collect();
    let prefix = options.scenario.as_deref().unwrap_or_default();
    let names = scenarios.iter().map(|scenario| scenario.name);
    let names: Vec<_> = names
        .filter(|name| name.starts_with(prefix) && (!options.barred || is_barred(name)))
        .collect();
    Taken::take(rounds, &names, &contenders, |name, contender, _round| {
        let scenario = scenarios.iter().find(|scenario| scenario.name == name);
        let Scenario { callers, micros, .. } = scenario.ok_or("a scenario of ours")?;
        let [callers, micros, millis] =
            [*callers as u64, *micros, millis].map(|number| number.to_string());
        let mut arguments = vec!["sample", "--contender", contender, kind];
        if bench == Bench::Calls {
            arguments.push(&callers);
        }
        arguments.extend([&*micros, &*millis]);
        in_a_process(&arguments)
    })
}

fn times(taken: &Taken<Seen>) -> Table {
    let mut table = Table::new(1, [""].into_iter().chain(taken.scenarios.iter().copied()));
    for (c, name) in taken.contenders.iter().enumerate() {
        let nanos =
            (0..taken.scenarios.len()).map(|s| figure(taken.median(s, c, |seen| seen.nanos), 0));
        table.row([(*name).to_owned()].into_iter().chain(nanos));
    }
    table
}

fn is_peer(name: &str) -> bool {
    contenders::ALL.iter().any(|entry| entry.name == name && entry.kind == Kind::Peer)
}

/// The ratio within the rounds to a contender, and that contender's name: the one in `against`, or
/// the best peer that offloads.
fn beside(
    taken: &Taken<Seen>,
    ours: &str,
    scenario: &str,
    against: Option<&str>,
) -> Option<(crate::statistics::Estimate, &'static str)> {
    let (s, ours) = (taken.scenario(scenario)?, taken.place(ours)?);
    let peer = if let Some(name) = against {
        taken.place(name)?
    } else {
        let peers = (0..taken.contenders.len()).filter(|c| is_peer(taken.contenders[*c]));
        taken.best(s, peers, |seen| seen.nanos)?
    };
    Some((taken.ratio(s, (ours, peer), |seen| seen.nanos), taken.contenders[peer]))
}

fn ratios(taken: &Taken<Seen>, ours: &[&str], against: Option<&str>) -> Table {
    let ours: Vec<_> = ours.iter().filter(|name| taken.place(name).is_some()).copied().collect();
    let mut table = Table::new(2, ["", "against"].into_iter().chain(ours.iter().copied()));
    for scenario in &taken.scenarios {
        let beside = ours.iter().filter_map(|ours| beside(taken, ours, scenario, against));
        let beside: Vec<_> = beside.collect();
        let Some((_, peer)) = beside.first() else { continue };
        let cells = [(*scenario).to_owned(), (*peer).to_owned()];
        table.row(cells.into_iter().chain(beside.iter().map(|(estimate, _)| ratio(*estimate))));
    }
    table
}

/// The share of a CPU, in percent, that a contender uses while it is idle after calls.
struct Idle(Duration);

impl Visit for Idle {
    type Output = std::io::Result<f64>;

    fn visit<C: Contender>(self, contender: C) -> std::io::Result<f64> {
        let Self(rest) = self;
        let contender = Arc::new(contender);
        calls(&contender, 64, Duration::ZERO, Duration::from_millis(30));
        // By then, lingering drainers have ended, and the keeper no longer watches them.
        std::thread::sleep(Duration::from_millis(500));
        let before = machine::own_nanos()?;
        std::thread::sleep(rest);
        #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
        let used = (machine::own_nanos()? - before) as f64;
        Ok(used / rest.as_secs_f64() / 1e7)
    }
}

/// The delay of a task that is ready on the same I/O worker when the worker polls a scope of 5 ms:
/// the median, the 99th percentile and the maximum, in microseconds.
fn lateness(scopes: usize) -> [f64; 3] {
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build();
    let runtime = runtime.expect("loom starts");
    let of_task = runtime.clone();
    let task = runtime.spawn_async(async move {
        let mut late = Vec::new();
        for _ in 0..scopes {
            let ready = Instant::now();
            // The new task waits in this worker's queue, behind this task.
            let neighbour = tokio::spawn(async move { ready.elapsed() });
            of_task.scope_compute(|_| burn(Duration::from_millis(5))).await;
            late.push(neighbour.await.expect("it does not panic").as_secs_f64() * 1e6);
        }
        late
    });
    let mut late = runtime.block_on(task).expect("nobody panics");
    late.sort_by(f64::total_cmp);
    let at = |share: usize| late[(late.len() * share / 100).min(late.len() - 1)];
    [at(50), at(99), at(100)]
}
