//! Charges inline calls to the running task, in steps of tokio's cooperative budget.

use std::task::{Context, Poll, ready};

use tokio::task::coop;

/// Nanoseconds of inline calls that count as one step. Tokio gives a task 128 steps before it runs
/// other tasks, and so about a millisecond of inline calls.
const A_STEP: u64 = 10_000;
/// The most steps that one call counts.
const LONGEST: u32 = 64;

/// How many steps inline calls of so many nanoseconds count: from 1 to [`LONGEST`].
pub(super) fn steps(nanos: u64) -> u32 {
    u32::try_from(nanos / A_STEP).unwrap_or(LONGEST).clamp(1, LONGEST)
}

/// Takes the steps in `turn` from the task's budget. Where the budget ends first, it returns
/// pending and leaves the rest in `turn`.
#[cold]
pub(super) fn use_up(turn: &mut u32, cx: &mut Context<'_>) -> Poll<()> {
    while *turn > 0 {
        ready!(coop::poll_proceed(cx)).made_progress();
        *turn -= 1;
    }
    Poll::Ready(())
}
