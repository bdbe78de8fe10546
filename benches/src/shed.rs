//! `loom-bench shed`: the example service under twice the load that it can bear, with load shedding
//! and without.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::http::{Neighbours, Seen, Server, load_command, under};
use crate::page;
use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::at_least_one;
use crate::rounds::{Rounds, Sample, Taken};
use crate::statistics::{Estimate, median};

/// Requests a second to the route that must always answer.
const HEALTH: u32 = 500;
/// The scenario that the others are compared with.
const IDLE: &str = "nothing but `/health`";
/// How long computation may wait for a thread, in milliseconds: with load shedding, and without.
const WAITS: [(&str, &str); 2] = [("with the layer", "300"), ("without it", "60000")];
/// How requests are bounded at three times what the service bears: the wait for a thread, and the deadline, in
/// milliseconds.
const BOUNDS: [(&str, &str, Option<&str>); 3] = [
    ("no bound", "60000", None),
    ("the layer alone", "300", None),
    ("deadlines of 200 ms", "60000", Some("200")),
];
/// The least share of its capacity that the service answers in time where requests have deadlines.
const LEAST_IN_TIME: f64 = 0.95;
/// The highest p99 of the route that must always answer, as a ratio to its p99 without any other
/// load.
const MOST: f64 = 2.0;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 7, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// The seconds that count in each sample.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,
}

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let program = build(options.quick)?;
    let (rounds, warm_up, seconds) = if options.quick {
        (Rounds::one(), 0.3, 0.7)
    } else {
        (Rounds::of(options.rounds), 1.5, options.seconds)
    };
    let bounded = |wait: &str,
                   deadline: Option<&str>,
                   rate: f64,
                   seed: usize|
     -> Result<Sample<Seen>, Box<dyn Error>> {
        let mut service = Command::new(&program);
        service.args(["--listen", "127.0.0.1:0", "--longest-wait", wait]).stderr(Stdio::null());
        service.args(deadline.iter().flat_map(|millis| ["--deadline", millis]));
        let mut service = Server::start(&mut service)?;
        let line = service.line()?;
        let port = line.trim().rsplit(':').next().unwrap_or_default().to_owned();
        let mut load = load_command()?;
        load.args(["http-load", "--port", &port, "--seed", &seed.to_string(), "--finish"])
            .args(["--fast", &HEALTH.to_string(), "--slow", &rate.to_string()])
            .args(["--fast-path", "/health", "--post", "/password/hash"])
            .args(["--body", r#"{"password":"correct horse battery staple"}"#])
            .args(["--warm-up", &warm_up.to_string(), "--seconds", &seconds.to_string()]);
        under(load, &service, &Neighbours::start(0)?)
    };
    let sample = |wait: &str, rate: f64, seed: usize| bounded(wait, None, rate, seed);
    // The service's capacity: its answers per second under more load than it can bear, without
    // load shedding.
    let saturated = |n| sample(WAITS[1].1, 300.0, n).map(|of| of.seen.slow_rate);
    let mut bears = (0..rounds.rounds.min(3)).map(saturated).collect::<Result<Vec<_>, _>>()?;
    let bears = median(&mut bears);
    let [with, without] = WAITS;
    let names = [IDLE, with.0, without.0];
    let taken = Taken::take(rounds, &["twice what it bears"], &names, |_, name, round| {
        let wait = if name == without.0 { without.1 } else { with.1 };
        let rate = if name == IDLE { 0.0 } else { 2.0 * bears };
        sample(wait, rate, round + 1)
    })?;
    let names = BOUNDS.map(|(name, ..)| name);
    let late = Taken::take(rounds, &["three times what it bears"], &names, |_, name, round| {
        let (_, wait, deadline) = BOUNDS[names.iter().position(|of| *of == name).unwrap_or(0)];
        bounded(wait, deadline, 3.0 * bears, round + 1)
    })?;
    let mut report = report(&taken, bears, seconds);
    in_time(&mut report, &late, bears);
    Ok(report)
}

/// How many answers come in time at three times the capacity.
fn in_time(report: &mut Report, late: &Taken<Seen>, bears: f64) {
    report.say(&format!(
        "Asked for three times as many hashes as it bears, for clients that wait for 200 ms; capacity is {bears:.0} \
         answers a second."
    ));
    let head = ["", "answers/s", "in time/s", "in time, share of capacity", "answered 503"];
    let mut table = Table::new(1, head);
    for (c, name) in late.contenders.iter().enumerate() {
        let in_time = late.median(0, c, |seen| seen.in_time_rate);
        #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
        let refused = late.median(0, c, |seen| seen.refused as f64);
        table.row([
            (*name).to_owned(),
            figure(late.median(0, c, |seen| seen.slow_rate), 0),
            figure(in_time, 0),
            figure(in_time / bears, 2),
            figure(refused, 0),
        ]);
    }
    report.table(&table);
    let share = late.median(0, 2, |seen| seen.in_time_rate) / bears;
    report.say(&format!(
        "With deadlines, answers in time were to be at least {LEAST_IN_TIME} of the capacity: {}.",
        if share >= LEAST_IN_TIME { "they are" } else { "they are not" }
    ));
    report.samples("deadlines", late);
}

fn report(taken: &Taken<Seen>, bears: f64, seconds: f64) -> Report {
    let mut report = Report::default();
    report.say(&format!(
        "The example's service hashes passwords, {bears:.0} a second where it is asked for more, and \
         is asked for twice as many, beside {HEALTH} requests a second for `/health`; samples of \
         {seconds} s; without the layer (with a bound of a minute) the hashes' p99 grows as long as \
         the load lasts."
    ));
    report.say(&taken.how());
    let head = [
        "",
        "`/health` p50, ms",
        "p99",
        "p99 to idle",
        "hashes/s",
        "hash p99, ms",
        "answered 503/s",
        "no answer",
    ];
    let mut table = Table::new(1, head);
    let busy = 0;
    for (c, name) in taken.contenders.iter().enumerate() {
        let ms = |of: fn(&Seen) -> f64| figure(taken.median(busy, c, of) / 1e3, 2);
        #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
        let refused = taken.median(busy, c, |seen| seen.refused as f64) / seconds;
        #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
        let unanswered = taken.median(busy, c, |seen| seen.unanswered as f64);
        table.row([
            (*name).to_owned(),
            ms(|seen| seen.fast_p50),
            ms(|seen| seen.fast_p99),
            ratio(to_idle(taken, c)),
            figure(taken.median(busy, c, |seen| seen.slow_rate), 0),
            ms(|seen| seen.slow_p99),
            figure(refused, 0),
            figure(unanswered, 0),
        ]);
    }
    report.table(&table);
    let estimate = to_idle(taken, 1);
    report.say(&format!(
        "Idle, `/health` has a p99 of {} ms; within {MOST} times that was aimed at: {}.",
        figure(taken.median(busy, 0, |seen| seen.fast_p99) / 1e3, 2),
        Bar::AtMost(MOST).verdict(estimate)
    ));
    let lost = taken.samples[busy][1].iter().map(|sample| sample.seen.unanswered).max();
    report.say(&format!(
        "Requests that were let through and not answered, in the worst round: {}.",
        lost.unwrap_or(0)
    ));
    report.samples("shed", taken);
    report.data("bears", bears);
    report
}

fn to_idle(taken: &Taken<Seen>, c: usize) -> Estimate {
    taken.ratio(0, (c, 0), |seen| seen.fast_p99)
}

/// The example, built as a user would build it. A quick round means no figures, and takes the build of the
/// tests.
fn build(is_quick: bool) -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--example", "service"])
        .args((!is_quick).then_some("--release"))
        .arg("--message-format=json")
        .current_dir(page::root()?)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the example does not build: {}", output.status).into());
    }
    let lines = String::from_utf8(output.stdout)?;
    let mut messages = lines.lines().rev().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "service";
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    messages.next().ok_or_else(|| "cargo names no program".into())
}
