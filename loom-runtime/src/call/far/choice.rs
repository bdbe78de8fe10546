//! Whether a call goes to the fleet.

use crate::core::{Core, Function};
use crate::scheduler::{Conditions, FarBelief, Known};

use super::super::deadline::is_too_late;
use super::serve::is_serving;

/// Whether a call of this runtime goes to the fleet.
pub(super) fn goes(
    core: &Core,
    function: &Function,
    now: u64,
    is_cheaper: impl FnOnce(FarBelief) -> bool,
) -> bool {
    let Some(transport) = core.transport.get().filter(|_| !is_serving()) else { return false };
    // The call that stays says so.
    if is_too_late() {
        return false;
    }
    if transport.is_preferred() {
        return function.far.is_open(now);
    }
    function.far.known(now).is_some_and(is_cheaper)
}

/// Whether a call that would wait in the queue now would go to the fleet instead.
pub(in super::super) fn would_go(
    core: &Core,
    function: &Function,
    known: &Known,
    conditions: &Conditions,
    now: u64,
) -> bool {
    let here = known.cost_on_pool(&core.knobs, conditions);
    let run_time = known.run_time.unwrap_or_default().mean;
    function.far.is_marked()
        && !conditions.is_overridden
        && goes(core, function, now, |far| far.cost(run_time) < here)
}
