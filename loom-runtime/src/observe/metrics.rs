//! The metrics of one runtime, for programs that monitor it.

use std::fmt;

#[cfg(feature = "prometheus")]
use super::registries::Registries;
use crate::core::{Core, Function, inline};
use crate::sync::Arc;
use crate::threads::inherited;

/// The metrics of one runtime.
///
/// The Prometheus metrics have the names of these fields, after the runtime's prefix and `_`.
/// Counters also end in `_total`, and times in `_seconds`; `total_spawns` is `spawns_total`.
///
/// A runtime always counts, whether the metrics are registered or not. This type is cheap to clone,
/// and stays valid after the runtime has ended.
///
/// Cost: a settled call adds to the statistics of its own thread; other calls add to relaxed
/// atomics. `loom-bench decide` prints what a settled call costs, counting included.
///
/// ```
/// # fn main() -> loom::Result<()> {
/// let runtime = loom::LoomBuilder::new().build()?;
/// runtime.block_on(runtime.spawn_async(async {})).expect("it does not panic");
/// assert_eq!(runtime.prometheus_metrics().total_spawns.get(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoomMetrics {
    #[cfg(feature = "prometheus")]
    pub(super) core: Arc<Core>,
    /// The first part of the metrics' names.
    #[cfg(feature = "prometheus")]
    pub(super) prefix: Arc<str>,
    /// The registries that have these metrics. Not in the copy that a registry holds: the two would
    /// keep each other.
    #[cfg(feature = "prometheus")]
    pub(super) registries: Registries,
    /// Tracked async tasks and blocking functions that have not ended.
    pub inflight_tasks: Reading<i64>,
    /// Tracked async tasks on local cores that have not ended; part of `inflight_tasks`.
    pub local_tasks: Reading<i64>,
    /// Compute calls that wait for a thread.
    pub rayon_queue_depth: Reading<i64>,
    /// Tracked async tasks spawned per second, since the last read that is at least a second old.
    /// Every read counts, including one by `Debug`.
    pub spawn_rate: Reading<f64>,
    /// Tasks that are assumed to be ready behind the current task of each I/O worker, 0 to 10.
    pub pressure_index: Reading<f64>,
    /// Tracked async tasks that have been spawned.
    pub total_spawns: Reading<u64>,
    /// How often a look found that a compute thread had work and got no CPU; see
    /// [`LoomRuntime::starvation_events`](crate::LoomRuntime::starvation_events).
    pub starvation_events: Reading<u64>,
    /// How often compute work left the idle class or went back to it; see
    /// [`ComputePriority::Auto`](crate::ComputePriority::Auto).
    pub priority_changes: Reading<u64>,
    /// Spare threads, which take the places of compute threads that wait; see
    /// [`LoomRuntime::spare_threads`](crate::LoomRuntime::spare_threads).
    pub spare_threads: Reading<i64>,
    /// How many CPUs' time the process may use at this moment: its CPUs, or the quota of its control
    /// groups if that is less. Read again once a second while there is work.
    pub cpu_budget: Reading<f64>,
    /// How often the CPUs or the quota have changed.
    pub cpu_budget_changes: Reading<u64>,
    /// Periods in which the system stopped the process because it had used its quota up, as far as
    /// there was work. Counted once for each control group that was stopped.
    pub throttled_periods: Reading<u64>,
    /// Threads and child processes that inherited the idle class from compute work of any runtime
    /// of the process; see [`LoomRuntime::inherited_idle`](crate::LoomRuntime::inherited_idle).
    pub inherited_idle: Reading<u64>,
    /// Calls that GR0 offloaded: they would block the only I/O worker.
    pub gr0_activations: Reading<u64>,
    /// Calls that GR1 offloaded: they would block an I/O worker for too long.
    pub gr1_activations: Reading<u64>,
    /// Calls that GR2 offloaded: they would block an I/O worker for too long under pressure.
    pub gr2_activations: Reading<u64>,
    /// Calls that GR3 offloaded: earlier calls had blocked an I/O worker for far too long.
    pub gr3_activations: Reading<u64>,
    /// Calls that GR4 offloaded: an inline call had blocked its thread, which tokio refused.
    pub gr4_activations: Reading<u64>,
    /// Calls of annotated functions and of `spawn_adaptive` that ran inline, whatever the mode.
    pub inline_decisions: Reading<u64>,
    /// Calls of annotated functions and of `spawn_adaptive` that were offloaded.
    pub offload_decisions: Reading<u64>,
    /// Compute calls, adaptive or not, that a compute thread has run to their end.
    pub compute_run: Reading<u64>,
    /// Compute calls that have been submitted and have not ended.
    pub compute_in_flight: Reading<i64>,
    /// Compute calls that panicked, and panics of work that was spawned directly on the pool.
    pub compute_panics: Reading<u64>,
    /// Compute calls that their caller abandoned before they ended.
    pub compute_abandoned: Reading<u64>,
    /// Compute calls that were refused because the queue was full.
    pub compute_refused: Reading<u64>,
    /// How often a compute thread was fetched for calls, from sleep or from other work.
    pub compute_wakes: Reading<u64>,
    /// Requests that load shedding has refused.
    pub requests_shed: Reading<u64>,
    /// The assumed cost of the way to the compute pool and back, in seconds.
    pub bridge_overhead: Reading<f64>,
}

/// One metric of one runtime.
pub struct Reading<T> {
    core: Arc<Core>,
    read: fn(&Core) -> T,
}

impl<T> Reading<T> {
    /// The current value. A count is exact once no thread changes it. A total over functions takes
    /// a lock of each function in turn; no call waits for these locks.
    #[must_use]
    pub fn get(&self) -> T {
        (self.read)(&self.core)
    }
}

impl<T> Clone for Reading<T> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), read: self.read }
    }
}

impl<T: fmt::Debug> fmt::Debug for Reading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl LoomMetrics {
    pub(crate) fn of(core: &Arc<Core>, #[cfg(feature = "prometheus")] prefix: &str) -> Self {
        fn reading<T>(core: &Arc<Core>, read: fn(&Core) -> T) -> Reading<T> {
            Reading { core: Arc::clone(core), read }
        }
        Self {
            #[cfg(feature = "prometheus")]
            core: Arc::clone(core),
            #[cfg(feature = "prometheus")]
            prefix: prefix.into(),
            #[cfg(feature = "prometheus")]
            registries: Registries::default(),
            inflight_tasks: reading(core, |core| {
                // Two counts: compute calls, which are subtracted, are read shortly after the
                // total.
                signed(core.tasks())
            }),
            local_tasks: reading(core, |core| {
                let all = core.local_tasks.get().into_iter().flatten();
                signed(all.map(|tasks| tasks.count()).sum())
            }),
            rayon_queue_depth: reading(core, |core| signed(core.queue.waiting())),
            spawn_rate: reading(core, |core| {
                let counters = &core.counters;
                counters.spawn_rate.of(counters.spawned.count(), core.now())
            }),
            pressure_index: reading(core, |core| core.conditions(core.now()).pressure),
            total_spawns: reading(core, |core| core.counters.spawned.count()),
            starvation_events: reading(core, |core| core.counters.starved.count()),
            priority_changes: reading(core, |core| core.counters.priority_changes.count()),
            spare_threads: reading(core, |core| signed(core.spares.count())),
            cpu_budget: reading(core, |core| core.live_budget.allowed().cpu_time()),
            cpu_budget_changes: reading(core, |core| core.live_budget.changes.count()),
            throttled_periods: reading(core, |core| core.live_budget.throttled.count()),
            inherited_idle: reading(core, |_| inherited::total()),
            gr0_activations: reading(core, |core| core.counters.guardrails[0].count()),
            gr1_activations: reading(core, |core| core.counters.guardrails[1].count()),
            gr2_activations: reading(core, |core| core.counters.guardrails[2].count()),
            gr3_activations: reading(core, |core| core.counters.guardrails[3].count()),
            gr4_activations: reading(core, |core| core.counters.guardrails[4].count()),
            inline_decisions: reading(core, |core| {
                let calls = |f: &Function| inline(&f.all_stats) + f.counters.withheld.count();
                core.functions().map(calls).sum()
            }),
            offload_decisions: reading(core, |core| {
                core.functions().map(|function| function.counters.offloaded.count()).sum()
            }),
            compute_run: reading(core, |core| core.counters.run.count()),
            compute_in_flight: reading(core, |core| signed(core.in_flight())),
            compute_panics: reading(core, |core| core.counters.compute_panics.count()),
            compute_abandoned: reading(core, |core| core.counters.abandoned.count()),
            compute_refused: reading(core, |core| core.counters.refused.count()),
            compute_wakes: reading(core, |core| core.counters.wakes.count()),
            requests_shed: reading(core, |core| core.counters.shed.count()),
            bridge_overhead: reading(core, |core| core.conditions(core.now()).overhead.mean / 1e9),
        }
    }
}
