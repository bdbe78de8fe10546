//! Follows the CPUs and the quota that the system allows, while there is work.
//!
//! Once a second the keeper reads its own mask, which the system keeps within the CPU set of the
//! control group, and the quota. How many drainers may be up follows, and how fast they go. Masks
//! follow by themselves: the system narrows them, and widens those that nobody has set.

use std::time::{Duration, Instant};

use crate::core::{Allowed, Core, Pacing};
use crate::sync::Arc;
use crate::topology::{QuotaFiles, os};

use super::drainer;
use super::warn::say;

const PAUSE: Duration = Duration::from_secs(1);

/// What the keeper keeps of one core. A look allocates only if something has changed, since it goes
/// on while calls must not allocate either.
#[derive(Default)]
pub(super) struct BudgetWatch {
    /// `None` before the first look.
    files: Option<QuotaFiles>,
    /// In how many periods the process was stopped, at the last look.
    throttled: Option<u64>,
    /// In how many it was stopped since the last reading.
    stopped: u64,
    last: Option<Reading>,
    pacing: Pacing,
}

struct Reading {
    at: Instant,
    /// CPU time of the process beside its compute threads.
    rest: Duration,
}

impl BudgetWatch {
    /// Begins to watch: what happened while there was no work does not count.
    pub(super) fn begin(&mut self) {
        (self.throttled, self.stopped) = (None, 0);
    }

    /// Looks. Returns whether the system stopped the process since the last look because it had used
    /// its quota up.
    pub(super) fn check(&mut self, core: &Arc<Core>) -> bool {
        let now = Instant::now();
        if self.last.as_ref().is_none_or(|last| now - last.at >= PAUSE) {
            self.read(core, now);
        }
        let is_capped = core.live_budget.allowed().cap().is_some();
        let count = self.files.as_mut().filter(|_| is_capped).and_then(QuotaFiles::throttled);
        let before = std::mem::replace(&mut self.throttled, count);
        let stopped = before.zip(count).map_or(0, |(before, now)| now.saturating_sub(before));
        core.live_budget.throttled.add(stopped);
        self.stopped += stopped;
        stopped > 0
    }

    fn read(&mut self, core: &Arc<Core>, now: Instant) {
        let files = self.files.get_or_insert_with(QuotaFiles::of_process);
        if files.follow_process() {
            // The counts of another group say nothing of this one's.
            (self.throttled, self.last) = (None, None);
        }
        let allowed = Allowed { cpus: count_cpus(core), quota: files.quota() };
        if let Some(before) = core.live_budget.follow(allowed) {
            follow(core, before, allowed);
        }
        let reading = Reading { at: now, rest: rest_of_process(core) };
        let stopped = std::mem::take(&mut self.stopped);
        let last = self.last.replace(reading);
        let Some(quota) = allowed.cap() else {
            self.pacing = Pacing::default();
            core.live_budget.set_rate(None);
            return;
        };
        if let (Some(last), Some(reading)) = (last, &self.last) {
            let over = reading.at - last.at;
            let rest = reading.rest.saturating_sub(last.rest).as_secs_f64() / over.as_secs_f64();
            core.live_budget.set_rate(Some(self.pacing.next(quota, rest, stopped, over)));
        }
    }
}

/// CPU time of the process beside the runtime's compute threads.
fn rest_of_process(core: &Core) -> Duration {
    let process = os::cpu_time_of_process().unwrap_or_default();
    process.saturating_sub(core.compute_ids.cpu_time())
}

/// How many drainers may be up: as many as can run at once, but at most one for each compute thread.
pub(super) fn drainer_limit(core: &Core, allowed: Allowed) -> usize {
    // A setting may ask for more threads than can run at once. All of them are used while the system
    // allows as much as at the start.
    let is_less = allowed.parallelism() < core.plan.budget.parallelism;
    let threads = core.compute_threads;
    if is_less { threads.min(allowed.parallelism()) } else { threads }
}

/// Lets this many drainers be up.
pub(super) fn limit_drainers(core: &Arc<Core>, limit: usize) {
    // It keeps the pools, so that no fetch finds that the runtime has ended: the keeper must not
    // refuse what waits.
    let Some(_pools) = core.pools() else { return };
    core.queue.limit_drainers(limit, |generation| drainer::fetch(core, generation));
}

/// How many CPUs the system allows now, among those that the runtime was told to use.
fn count_cpus(core: &Core) -> usize {
    let budget = &core.plan.budget;
    let chosen = os::count_allowed(|cpu| !budget.is_narrowed || budget.cpus.contains(cpu));
    // If the system allows none of them, the threads run on the others.
    let cpus = chosen.ok().filter(|cpus| *cpus > 0).or_else(|| os::count_allowed(|_| true).ok());
    cpus.unwrap_or(budget.cpus.len())
}

fn follow(core: &Arc<Core>, before: Allowed, now: Allowed) {
    let limit = drainer_limit(core, now);
    limit_drainers(core, limit);
    let threads = if limit == 1 { "thread runs" } else { "threads run" };
    say(&format!(
        "the CPU budget has changed from {before} to {now}: {limit} compute {threads} at a time"
    ));
}
