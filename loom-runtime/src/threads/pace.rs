//! Slows drainers down where a quota is below what they could use: a drainer that has used more than
//! its runtime's share sleeps between two calls (`core/token_bucket.rs`).

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::core::{Core, Spent, Which};
use crate::sync::thread;
use crate::topology::os;

/// A drainer that sleeps checks this often whether it has to go on.
const CHECK_AGAIN: Duration = Duration::from_millis(100);
/// Long enough for another thread to take a step.
const NAP: Duration = Duration::from_micros(50);

thread_local! {
    /// What the calling thread had done when it was paced last.
    static LAST: Cell<Option<Done>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Done {
    at: Instant,
    /// CPU time.
    ran: Duration,
}

/// Begins a drainer: what its thread did before is not a call's.
pub(super) fn begin(core: &Core) {
    LAST.set(core.live_budget.rate().and_then(|_| Done::now()));
}

/// How long the calling thread of this pool has to sleep before its next call.
#[inline]
pub(super) fn debt(core: &Core, pool: Which) -> Option<Duration> {
    let Some(rate) = core.live_budget.rate() else {
        LAST.set(None);
        return None;
    };
    let now = Done::now()?;
    let last = LAST.get().unwrap_or(now);
    let spent = Spent { used: now.ran.saturating_sub(last.ran), over: now.at - last.at };
    let debt = core.live_budget.spend(spent, rate, now.at)?;
    LAST.set(Some(now));
    (!debt.is_zero() && may_sleep(core, pool)).then_some(debt)
}

/// Sleeps that long, or until the core has no use for that any more.
pub(super) fn sleep(core: &Core, pool: Which, debt: Duration) {
    let end = Instant::now() + debt;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        && may_sleep(core, pool)
    {
        thread::sleep(left.min(CHECK_AGAIN));
    }
}

/// Gives the CPU to threads of every class for a moment.
pub(super) fn nap() {
    thread::sleep(NAP);
}

/// Nobody else would run what waits in the pool, and at the end every job goes at once.
fn may_sleep(core: &Core, pool: Which) -> bool {
    let is_capped = core.live_budget.rate().is_some();
    is_capped && !core.installs.is_waiting(pool) && !core.lifecycle.is_gone()
}

impl Done {
    fn now() -> Option<Self> {
        Some(Self { at: Instant::now(), ran: os::cpu_time_of_thread()? })
    }
}
