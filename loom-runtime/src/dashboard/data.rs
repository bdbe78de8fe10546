//! The data of the page, as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bridge::Priority;
use crate::metrics::{Counter, Histogram};
use crate::runtime::Inner;
use crate::scheduler::{Mode, Wake};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::topology::{Role, ThreadPlacement, os};

use crate::core::Core;
use crate::observe::{FunctionStats, of_core, of_polls};

/// A limit, since each thread takes a read of two system files.
const MOST_THREADS: usize = 128;
/// More places would make the page long and say little.
const MOST_PLACES: usize = 50;

/// The state of a runtime, and whether the page may change it. Counters only grow; the page computes
/// differences.
pub(super) fn of(core: &Arc<Core>, may_override: bool) -> Value {
    let now = core.now();
    let conditions = core.conditions(now);
    let runtime = core.handle::<Inner>();
    let counters = &core.counters;
    let allowed = core.live_budget.allowed();
    let expected = |priority| micros(core.backlog.expected(priority, core.queue.waiting(), now));
    json!({
        "name": runtime.as_ref().map_or("process-wide compute pool", |inner| &inner.config.prefix),
        "version": env!("CARGO_PKG_VERSION"),
        // Identifies this runtime of this process.
        "run": format!("{}-{}", std::process::id(), core.id),
        "now_ms": now / 1_000_000,
        "modes": may_override.then(|| Mode::ALL.map(|mode| mode.to_string())),
        "plan": {
            "placement": core.plan.placement.to_string(),
            "cpus": core.plan.budget.cpus.to_string(),
            "at_once": allowed.parallelism(),
            "quota": allowed.quota,
            "changes": core.live_budget.changes.count(),
            "throttled": core.live_budget.throttled.count(),
        },
        "cpus": cpus(core),
        "threads": runtime.iter().flat_map(|inner| inner.io.iter().chain(inner.local.placements()))
            .chain(core.compute_placements.iter())
            .take(MOST_THREADS)
            .map(thread)
            .collect::<Vec<_>>(),
        "io": {
            "workers": core.tokio.get().map(|tokio| tokio.metrics().num_workers()),
            "tasks": core.tasks(),
            "spawned": counters.spawned.count(),
            "pressure": conditions.pressure,
            "inline_ms": core.io.inline_nanos.load(Ordering::Relaxed) / 1_000_000,
        },
        "local": {
            "cores": core.plan.local.len(),
            "tasks": core.local_tasks.get().into_iter().flatten().map(|t| t.count()).sum::<usize>(),
        },
        "compute": {
            "threads": core.compute_threads,
            "threads_at_once": core.queue.drainer_limit(),
            "spares": core.spares.count(),
            "in_flight": core.in_flight(),
            "waiting": core.queue.waiting(),
            "run": counters.run.count(),
            "wakes": counters.wakes.count(),
            "panics": counters.compute_panics.count(),
            "abandoned": counters.abandoned.count(),
            "refused": counters.refused.count(),
            "shed": counters.shed.count(),
            "overhead_us": conditions.overhead.mean / 1e3,
            "expected_wait_us": {
                "low": expected(Priority::Low),
                "normal": expected(Priority::Normal),
                "high": expected(Priority::High),
            },
            "waits": histogram(&counters.queue_waits.snapshot()),
        },
        "fleet": fleet(core),
        "own_override": own_override(core, "*"),
        "guardrails": counters.guardrails.each_ref().map(Counter::count),
        "starved": counters.starved.count(),
        "priority_changes": counters.priority_changes.count(),
        "demoted": counters.demoted.count(),
        "threads_refused": counters.threads_refused.count(),
        "slow_polls": of_polls(&core.slow_polls).iter().take(MOST_PLACES).map(|slow| json!({
            "place": slow.to_string(),
            "blocked": slow.blocked,
            "longest_us": micros(slow.longest),
            "times": histogram(&slow.times),
        })).collect::<Vec<_>>(),
        "functions": of_core(core).iter().map(|function| of_function(core, function))
            .collect::<Vec<_>>(),
    })
}

/// The fleet that the runtime belongs to.
#[cfg(feature = "fleet")]
fn fleet(core: &Arc<Core>) -> Option<Value> {
    let inner = core.handle::<Inner>()?;
    let settings = &inner.config.fleet;
    let is_member = core.transport.get().is_some() || settings.role.is_some();
    is_member.then(|| {
        json!({
            "name": settings.name.as_deref().unwrap_or("default"),
            "role": settings.role.unwrap_or_default().to_string(),
        })
    })
}

#[cfg(not(feature = "fleet"))]
fn fleet(_core: &Arc<Core>) -> Option<Value> {
    None
}

/// The CPUs of the budget, if the system reports their use.
fn cpus(core: &Core) -> Vec<Value> {
    let ticks = os::cpu_ticks();
    let budget = core.plan.budget.cpus.as_slice();
    let of_budget = ticks.iter().filter(|ticks| budget.contains(&ticks.cpu));
    of_budget.map(|t| json!({ "cpu": t.cpu, "busy": t.busy, "all": t.all })).collect()
}

fn thread(placement: &ThreadPlacement) -> Value {
    let files = placement.id.and_then(os::ThreadFiles::open);
    let times = files.as_ref().and_then(os::ThreadFiles::times);
    json!({
        "name": placement.name,
        "role": match placement.role {
            Role::Compute => "compute",
            Role::Local => "local",
            Role::Io | Role::Blocking => "io",
        },
        "cpus": placement.cpus_now().to_string(),
        "class": placement.class.to_string(),
        "cpu": files.as_ref().and_then(os::ThreadFiles::last_cpu),
        "ran_ms": times.map(|[ran, _]| millis(ran)),
        "waited_ms": times.map(|[_, waited]| millis(waited)),
    })
}

/// The mode that the override of exactly this name sets.
fn own_override(core: &Core, name: &str) -> Option<String> {
    core.overrides.named(name).mode.map(|mode| mode.to_string())
}

fn of_function(core: &Core, function: &FunctionStats) -> Value {
    let verdict = function.verdict.map(|verdict| {
        json!({
            "arm": verdict.arm.to_string(),
            "reason": verdict.reason.to_string(),
            "is_guardrail": verdict.reason.is_guardrail(),
            "explanation": verdict.explain(),
            "inline_us": micros(verdict.inline_cost),
            "offload_us": micros(verdict.offload_cost),
            "samples": verdict.samples,
            "age_ms": millis(verdict.age),
        })
    });
    json!({
        "id": function.index,
        "name": function.name,
        "key": format!("{:016x}", function.key.0),
        "sizes": function.sizes.as_ref().map(|sizes| [*sizes.start(), *sizes.end()]),
        "polls": function.after.map(Wake::polls),
        "hint": format!("{:?}", function.hint).to_lowercase(),
        "mode": format!("{:?}", function.mode).to_lowercase(),
        "override": (!function.overridden_to.is_none()).then(|| function.overridden_to.to_string()),
        "own_override": own_override(core, function.name),
        "overridden": function.overridden,
        "inline": function.inline,
        "offloaded": function.offloaded,
        "withheld": function.withheld,
        "returned": function.returned,
        "panicked": function.panicked,
        "abandoned": function.abandoned,
        "refused": function.refused,
        "mean_us": function.mean.map(micros),
        "run": histogram(&function.run_times),
        "wait": histogram(&function.queue_waits),
        "limit": function.max_concurrent.zip(function.at_limit).map(|(most, (running, waiting))| {
            json!({ "most": most, "running": running, "waiting": waiting,
                "waits": histogram(&function.limit_waits) })
        }),
        "verdict": verdict,
        "far": far(function),
    })
}

/// Its calls on other processes, where the runtime belongs to a fleet and calls may go there.
#[cfg(feature = "fleet")]
fn far(function: &FunctionStats) -> Option<Value> {
    let far = &function.far;
    let verdict = far.verdict?;
    Some(json!({
        "goes": verdict.goes,
        "explanation": verdict.explain(),
        "told": far.to_string(),
        "sent": far.sent,
        "returned": far.returned,
        "under_way": far.under_way,
        "failed": far.lost + far.expired,
        "run": histogram(&far.run_times),
        "wait": histogram(&far.waits),
        "way": histogram(&far.ways),
    }))
}

#[cfg(not(feature = "fleet"))]
fn far(_function: &FunctionStats) -> Option<Value> {
    None
}

fn histogram(times: &Histogram) -> Value {
    let quantile = |q| times.quantile(q).map(micros);
    json!({
        "count": times.count(),
        "sum_us": micros(times.sum()),
        "p50_us": quantile(0.5),
        "p90_us": quantile(0.9),
        "p99_us": quantile(0.99),
        "max_us": quantile(1.0),
        "buckets": times.buckets().map(|(edge, count)| (micros(edge), count)).collect::<Vec<_>>(),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
