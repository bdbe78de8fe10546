//! The rules behind recommendations. Each has its evidence, and the line to write.

use std::time::Duration;

use crate::scheduler::Mode;
use crate::topology::ComputePriority;

use super::super::functions::FunctionStats;
use super::super::slow_polls::SlowPoll;
use super::facts::{Recommendation, Report};

/// How many recommendations a report has at most.
const MOST: usize = 5;
/// How many places a report advises on.
const MOST_PLACES: usize = 3;
/// A queue wait that a service's clients notice.
const LONG_WAIT: Duration = Duration::from_millis(200);
/// What happened less often says little: for what is cheap, and for what is dear.
const OFTEN: u64 = 100;
const MANY: u64 = 10;

/// What the report advises, the most urgent first. A call that takes `limit` blocks an I/O worker for too
/// long.
pub(super) fn of(report: &Report, limit: Duration) -> Vec<Recommendation> {
    let mut all: Vec<_> = [throttled(report), starved(report)].into_iter().flatten().collect();
    let worth = report.slow_polls.iter().filter(|slow| matters(report, slow));
    all.extend(worth.take(MOST_PLACES).map(|slow| slow_poll(report, slow)));
    let functions = || report.functions.iter();
    all.extend(functions().filter_map(|function| forced_inline(function, limit)));
    all.extend(functions().filter_map(observed));
    all.extend(functions().filter_map(blocking));
    all.extend([lone_worker(report), long_queue(report)].into_iter().flatten());
    all.extend(functions().filter_map(|it| forced_to_the_pool(it, report.bridge_overhead)));
    all.truncate(MOST);
    all
}

fn recommendation(what: String, evidence: String, write: &str) -> Recommendation {
    Recommendation { what, evidence, write: write.to_owned() }
}

/// The process is asked for more than its quota allows.
fn throttled(report: &Report) -> Option<Recommendation> {
    let Report { throttled_periods, cpu_budget, .. } = *report;
    (throttled_periods >= OFTEN).then(|| {
        recommendation(
            "raise the quota of the control group".to_owned(),
            format!(
                "the system stopped the process in {throttled_periods} periods; it may use \
                 {cpu_budget:.2} CPUs' time"
            ),
            "resources.limits.cpu, --cpus, or cpu.max",
        )
    })
}

fn starved(report: &Report) -> Option<Recommendation> {
    let looks = report.starvation_events;
    (looks > 0 && report.compute_priority == ComputePriority::Idle).then(|| {
        recommendation(
            "let compute work leave the idle class".to_owned(),
            format!("{looks} looks found a compute thread with work that got no CPU"),
            "compute_priority = \"auto\"",
        )
    })
}

/// Whether a place held threads up often, or for a share of the time that is worth a change.
fn matters(report: &Report, slow: &SlowPoll) -> bool {
    slow.count >= MANY || slow.times.sum() * 100 >= report.age
}

fn slow_poll(report: &Report, slow: &SlowPoll) -> Recommendation {
    let SlowPoll { count, blocked, longest, times, .. } = slow;
    let limit = report.slow_poll.unwrap_or_default();
    let (all, longest) = (brief(times.sum()), brief(*longest));
    let seen =
        format!("{} above {limit:?}, {longest} at most, {all} in all", counted(*count, "poll"));
    if *blocked * 2 > *count {
        return recommendation(
            format!("move what blocks to a thread that may wait: {slow}"),
            format!("{seen}; {blocked} of them waited for most of it"),
            "loom::spawn_blocking(move || …).await",
        );
    }
    recommendation(
        format!("annotate what computes: {slow}"),
        seen,
        "#[loom::compute(hint = \"high\")]",
    )
}

/// Its own mode keeps a long function on the I/O workers.
fn forced_inline(function: &FunctionStats, limit: Duration) -> Option<Recommendation> {
    let p99 = function.run_times.quantile(0.99)?;
    (function.mode == Mode::Inline && function.inline >= MANY && p99 > limit).then(|| {
        recommendation(
            format!("let Loom place `{}`", function.name),
            format!(
                "{} calls ran inline so far, and its mode keeps it there; {} at the 99th percentile",
                function.inline,
                brief(p99)
            ),
            &adaptive(function),
        )
    })
}

/// Observing holds functions back that would leave the I/O workers.
fn observed(function: &FunctionStats) -> Option<Recommendation> {
    let (withheld, calls) = (function.withheld, function.calls());
    let often = function.mode == Mode::Observe && withheld * 10 > calls;
    often.then(|| {
        recommendation(
            format!("let Loom place `{}`", function.name),
            format!("it observes: {withheld} of {calls} calls would have been offloaded"),
            &adaptive(function),
        )
    })
}

/// The way back to the decision of the scheduler, from where the mode comes from.
fn adaptive(function: &FunctionStats) -> String {
    match function.overridden_to.mode {
        Some(_) => format!("LOOM_FUNCTIONS='{}=adaptive'", function.path),
        None => "#[loom::compute]".to_owned(),
    }
}

/// A compute thread that waits runs nothing else.
fn blocking(function: &FunctionStats) -> Option<Recommendation> {
    let waits = function.verdict.as_ref()?.waits;
    let (looked_at, waited, mean) = (waits.looked_at, waits.waited, waits.mean);
    let often = looked_at >= 10 && waited * 2 > looked_at && mean >= Duration::from_millis(1);
    (often && function.offloaded > 0).then(|| {
        recommendation(
            format!("say where `{}` waits", function.name),
            format!(
                "{waited} of {looked_at} runs gave their CPU up, for {} on average",
                brief(mean)
            ),
            "loom::block_in_place(|| …)",
        )
    })
}

fn lone_worker(report: &Report) -> Option<Recommendation> {
    let calls = report.lone_worker_calls;
    (calls >= OFTEN && report.tokio_threads == 1 && report.cpu_budget >= 2.0).then(|| {
        recommendation(
            "start a second I/O worker".to_owned(),
            format!("{calls} calls were offloaded only since they would block the one there is"),
            "tokio_threads = 2",
        )
    })
}

fn long_queue(report: &Report) -> Option<Recommendation> {
    let p99 = report.queue_waits.quantile(0.99)?;
    (p99 > LONG_WAIT && report.requests_shed == 0 && report.calls_refused == 0).then(|| {
        recommendation(
            "shed load before it queues".to_owned(),
            format!("calls waited {} for a compute thread at the 99th percentile", brief(p99)),
            ".layer(loom::tower::LoadShedLayer::new(Duration::from_millis(200)))",
        )
    })
}

/// Its own mode sends a short function to the pool.
fn forced_to_the_pool(function: &FunctionStats, way: Duration) -> Option<Recommendation> {
    let usual = function.run_times.quantile(0.5)?;
    let often = function.mode == Mode::Offload && function.offloaded >= OFTEN;
    (often && usual * 2 < way).then(|| {
        recommendation(
            format!("let Loom place `{}`", function.name),
            format!(
                "{} calls were offloaded by its mode; half of them took {} or less, and the way to the pool \
                 and back takes {}",
                function.offloaded,
                brief(usual),
                brief(way)
            ),
            &adaptive(function),
        )
    })
}

/// "1 poll", "2 polls".
pub(super) fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// The duration with three digits or so.
pub(super) fn brief(duration: Duration) -> String {
    let decimals = usize::from(duration.as_nanos() >= 1000);
    format!("{duration:.decimals$?}")
}
