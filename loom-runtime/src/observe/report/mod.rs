//! A report about a runtime: what it has, what its functions cost, what went wrong, and what to change.
//!
//! Owns the report, its words and the rules behind its recommendations. It measures nothing.

mod advice;
mod facts;
mod text;

use std::time::Duration;

use crate::config::LoomConfig;
use crate::core::Core;
use crate::scheduler::duration;

use super::functions::of_core;
use super::slow_polls::of_polls;

use facts::cost;
pub use facts::{Recommendation, Report};

impl Report {
    pub(crate) fn of(core: &Core, config: &LoomConfig) -> Self {
        let counters = &core.counters;
        let mut functions = of_core(core);
        functions.sort_by_key(|function| std::cmp::Reverse(cost(function)));
        let mut report = Self {
            prefix: config.prefix.clone(),
            age: Duration::from_nanos(core.now()),
            cpu_budget: core.live_budget.allowed().cpu_time(),
            cpus: core.plan.budget.cpus.to_string(),
            tokio_threads: config.tokio_threads,
            local_cores: config.local_cores,
            rayon_threads: core.compute_threads,
            placement: config.placement,
            compute_priority: config.compute_priority,
            calls_expired: functions.iter().map(|function| function.expired).sum(),
            functions,
            slow_poll: config.slow_poll,
            slow_polls: of_polls(&core.slow_polls),
            bridge_overhead: duration(core.conditions(core.now()).overhead.mean),
            queue_waits: counters.queue_waits.snapshot(),
            starvation_events: counters.starved.count(),
            priority_changes: counters.priority_changes.count(),
            throttled_periods: core.live_budget.throttled.count(),
            requests_shed: counters.shed.count(),
            calls_refused: counters.refused.count(),
            lone_worker_calls: counters.guardrails[0].count(),
            recommendations: Vec::new(),
        };
        let limit = duration(core.knobs.t_block_hard_us * 1e3);
        report.recommendations = advice::of(&report, limit);
        report
    }
}
