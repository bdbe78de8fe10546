//! The limits of functions (`max_concurrent`), for decisions and reports.

use std::time::Duration;

use crate::config::Override;
use crate::core::{Core, Function, Gate};
use crate::scheduler::duration;
use crate::sync::Arc;

use super::overriding;

/// How many calls of a function may run at a time, if there is a limit.
pub(super) fn limit_of(over: Override, function: &Function) -> Option<usize> {
    let limit = over.max_concurrent.or_else(|| function.site.max_concurrent());
    limit.filter(|_| function.site.may_have_limit()).map(|limit| limit as usize)
}

/// How long a call of this function would wait for its limit, by the mean run time; `None` if it would not.
pub(super) fn expected_wait(core: &Core, function: &Function) -> Option<Duration> {
    let (limit, gate) = gate_of(core, function)?;
    let (running, waiting) = gate.counts();
    if waiting == 0 && running < limit {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let turns = (waiting + 1) as f64 / limit as f64;
    Some(duration(turns * function.record.mean().unwrap_or(0.0)))
}

/// The limit of a function and its gate, if it has one.
pub(crate) fn gate_of<'a>(
    core: &'a Core,
    function: &'a Function,
) -> Option<(usize, &'a Arc<Gate>)> {
    let limit = limit_of(overriding::of(core, function), function)?;
    Some((limit, function.gate(&core.gates)))
}
