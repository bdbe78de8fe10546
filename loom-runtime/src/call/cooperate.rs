//! What a long poll asks and does so that others get on.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::coop;

use crate::core::context;

/// Lets other work run: the future ends its poll, and goes on with the next one.
///
/// The next poll is placed like any other. On the compute pool it goes to the end of the queue of its
/// priority, behind the calls and polls that wait there. On an I/O worker other tasks run first. Outside of
/// compute futures it does the same for the task that awaits it.
///
/// Cost: one poll.
///
/// ```
/// #[loom::compute]
/// async fn sum(numbers: Vec<u64>) -> u64 {
///     let mut sum = 0;
///     for chunk in numbers.chunks(4096) {
///         sum += chunk.iter().sum::<u64>();
///         if loom::should_yield() {
///             loom::yield_now().await;
///         }
///     }
///     sum
/// }
///
/// #[loom::main]
/// async fn main() {
///     assert_eq!(sum((0..10_000).collect()).await, 49_995_000);
/// }
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow(false)
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "it yields when it is awaited"]
pub struct YieldNow(bool);

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Whether other work waits for the calling thread, so that a long poll had better
/// [yield](yield_now).
///
/// On a compute thread: whether calls or polls wait in the queue. Elsewhere: whether tasks are ready, as far
/// as is known (it is estimated once a millisecond), or the task's budget is used up.
///
/// Cost: a thread-local and a load. False outside of any runtime of Loom's.
#[must_use]
pub fn should_yield() -> bool {
    let waits = context::with_current(|core| {
        if core.is_own_compute_thread() {
            core.queue.waiting() > 0
        } else {
            core.pressure_level() > 0 || !coop::has_budget_remaining()
        }
    });
    waits.unwrap_or(false)
}
