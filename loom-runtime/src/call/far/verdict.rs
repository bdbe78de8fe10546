//! What a call would do that is made now, for reports.

use std::time::Duration;

use crate::core::{Core, Function};
use crate::scheduler::{Arm, FarBelief, FarReason, FarVerdict, duration};

use super::super::decide::now_of;

/// What a call of the function would do now; `None` where its calls never leave the process.
pub(crate) fn far_verdict(core: &Core, function: &Function, now: u64) -> Option<FarVerdict> {
    let is_preferred = core.transport.get().filter(|_| function.far.is_marked())?.is_preferred();
    let (is_free, conditions, known) = now_of(core, function, function.priority.get(), now);
    let arm = known.likely_arm(&core.knobs, &conditions);
    let run_time = known.run_time.unwrap_or_default().mean;
    let far = function.far.known(now);
    let seen = far.unwrap_or_else(FarBelief::assumed);
    let awaits = function.site.after(function.class).is_some();
    let (here, there) = if awaits {
        (conditions.queue, seen.way + seen.wait)
    } else {
        (known.cost_on_pool(&core.knobs, &conditions), seen.cost(run_time))
    };
    let closed = function.far.closed_for(now);
    let (goes, reason) = if !is_free {
        (false, FarReason::Told)
    } else if closed > 0 {
        (false, FarReason::Closed)
    } else if arm == Arm::InlineTokio && !awaits {
        (false, FarReason::Inline)
    } else if is_preferred {
        (true, FarReason::Preferred)
    } else if far.is_none() {
        (false, FarReason::Tried)
    } else {
        (there < here, FarReason::Cost)
    };
    Some(FarVerdict {
        goes,
        reason,
        here: duration(here),
        there: duration(there),
        queue: duration(conditions.queue),
        way: duration(seen.way),
        wait: duration(seen.wait),
        is_measured: seen.ran.is_some(),
        closed: Duration::from_nanos(closed),
    })
}
