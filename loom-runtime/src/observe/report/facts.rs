//! What a report has.

use std::time::Duration;

use crate::metrics::Histogram;
use crate::topology::{ComputePriority, Placement};

use super::super::functions::FunctionStats;
use super::super::slow_polls::SlowPoll;

/// What one runtime has done so far, and what its program could change; made by
/// [`LoomRuntime::report`](crate::LoomRuntime::report).
///
/// `Display` prints it for people, in lines of up to 100 columns, where names are not longer.
///
/// Its parts are read one after another while calls continue, so sums may be off by the calls that are
/// being made at that time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The first part of the names of threads and metrics.
    pub prefix: String,
    /// How old the runtime is.
    pub age: Duration,
    /// How many CPUs' time the process may use now.
    pub cpu_budget: f64,
    /// The CPUs, as a list.
    pub cpus: String,
    /// Threads for I/O.
    pub tokio_threads: usize,
    /// Local cores.
    pub local_cores: usize,
    /// Threads for compute.
    pub rayon_threads: usize,
    /// How I/O and compute share the CPUs.
    pub placement: Placement,
    /// The priority of compute threads, as it was set.
    pub compute_priority: ComputePriority,
    /// The functions, the dearest first: by the time that their calls took on both arms.
    pub functions: Vec<FunctionStats>,
    /// From when on a poll counts as slow; `None` where polls are not watched.
    pub slow_poll: Option<Duration>,
    /// The slow polls, those that took longest in all first.
    pub slow_polls: Vec<SlowPoll>,
    /// The cost of the way to the compute pool and back, as it is assumed now.
    pub bridge_overhead: Duration,
    /// How long calls waited for a compute thread, of those that were timed.
    pub queue_waits: Histogram,
    /// See [`starvation_events`](crate::LoomRuntime::starvation_events).
    pub starvation_events: u64,
    /// See [`priority_changes`](crate::LoomRuntime::priority_changes).
    pub priority_changes: u64,
    /// Periods in which the system stopped the process because its quota was used up.
    pub throttled_periods: u64,
    /// Requests that load shedding has refused.
    pub requests_shed: u64,
    /// Calls that were refused because the queue was full.
    pub calls_refused: u64,
    /// Calls that did not run because of their deadline.
    pub calls_expired: u64,
    /// Calls that were offloaded because they would have blocked the only I/O worker.
    pub lone_worker_calls: u64,
    /// At most five, the most urgent first.
    pub recommendations: Vec<Recommendation>,
}

/// A change that the program or its operator could make.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recommendation {
    /// What to do, in a few words.
    pub what: String,
    /// What was seen that speaks for it, with its numbers.
    pub evidence: String,
    /// The line to write.
    pub write: String,
}

/// About how long all calls of a function took: those that were not timed are short ones.
pub(super) fn cost(function: &FunctionStats) -> Duration {
    let times = &function.run_times;
    let untimed = function.calls().saturating_sub(times.count());
    let usual = times.quantile(0.5).unwrap_or_default();
    let untimed = u32::try_from(untimed).unwrap_or(u32::MAX);
    times.sum().saturating_add(usual.saturating_mul(untimed))
}
