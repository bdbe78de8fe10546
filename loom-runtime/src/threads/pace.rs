//! Slows drainers down where a quota is below what they could use: a drainer that has used more than
//! its runtime's share sleeps between two calls (`core/token_bucket.rs`).

use std::cell::Cell;
use std::time::Duration;

use crate::core::Core;
use crate::sync::thread;
use crate::topology::os;

thread_local! {
    /// The CPU time of the calling thread when it was paced last.
    static RAN: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// How long the calling compute thread has to sleep before its next call.
#[inline]
pub(super) fn debt(core: &Core) -> Option<Duration> {
    let Some(rate) = core.live_budget.rate() else {
        RAN.set(None);
        return None;
    };
    let ran = os::cpu_time_of_thread()?;
    let used = RAN.replace(Some(ran)).map_or(Duration::ZERO, |last| ran.saturating_sub(last));
    let debt = core.live_budget.spend(used, rate)?;
    // Nobody else would run what waits in the pool, and at the end every job goes at once.
    (!core.installs.is_waiting() && !core.lifecycle.is_gone()).then_some(debt)
}

pub(super) fn sleep(debt: Duration) {
    thread::sleep(debt);
}
