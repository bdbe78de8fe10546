//! What inline calls use up of a task's turn, in the steps of tokio's cooperative budget.

use std::task::{Context, Poll, ready};

use tokio::task::coop;

/// Nanoseconds of inline calls that count as one step of a task: tokio gives it 128 of them
/// before others have their turn, and so about a millisecond of inline calls.
const A_STEP: u64 = 10_000;
/// The most steps that one call counts.
const LONGEST: u32 = 64;

/// CallOptions many steps inline calls count that took so many nanoseconds, at least one.
pub(super) fn steps(nanos: u64) -> u32 {
    u32::try_from(nanos / A_STEP).unwrap_or(LONGEST).clamp(1, LONGEST)
}

/// Takes so many steps of the task's turn; pending where that ends, with the rest to take.
#[cold]
pub(super) fn use_up(turn: &mut u32, cx: &mut Context<'_>) -> Poll<()> {
    while *turn > 0 {
        ready!(coop::poll_proceed(cx)).made_progress();
        *turn -= 1;
    }
    Poll::Ready(())
}
