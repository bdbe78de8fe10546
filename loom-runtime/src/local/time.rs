//! Time on a local core, by the core's own clock, in tokio's words.

use std::fmt;
use std::future::{pending, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::context::expect_clock;
use crate::time::{Delay, MissedTickBehavior, Periodic};

/// Completes after `duration`, counted from now. A duration that the system cannot represent
/// completes in about thirty years.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// # fn main() -> loom::Result<()> {
/// let runtime = loom::LoomBuilder::new().local_cores(1).build()?;
/// let slept = runtime.local(0).spawn_with(|| async {
///     let start = Instant::now();
///     loom::local::sleep(Duration::from_millis(2)).await;
///     start.elapsed()
/// });
/// assert!(runtime.block_on(slept).is_ok_and(|slept| slept >= Duration::from_millis(2)));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// On a thread that is not a local core.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(expect_clock("sleep").delay(duration))
}

/// Completes at `deadline`, or at once if the deadline has passed.
///
/// # Panics
///
/// As [`sleep`].
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(expect_clock("sleep_until").delay_until(deadline))
}

/// Returns the future's result, unless the future takes longer than `duration` from now on. The
/// future is polled first: if both are ready, the result is returned.
///
/// ```
/// # use std::time::Duration;
/// # use std::future::pending;
/// # fn main() -> loom::Result<()> {
/// # let runtime = loom::LoomBuilder::new().local_cores(1).build()?;
/// let task = runtime.local(0).spawn_with(|| async {
///     loom::local::timeout(Duration::from_millis(1), pending::<()>()).await
/// });
/// assert_eq!(runtime.block_on(task).ok(), Some(Err(loom::local::Elapsed)));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the future takes too long. The future is dropped with the returned one.
///
/// # Panics
///
/// As [`sleep`].
#[track_caller]
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: Sleep::new(expect_clock("timeout").delay(duration)) }
}

/// [`timeout`] with a deadline.
///
/// # Errors
///
/// If the future is not ready at the deadline.
///
/// # Panics
///
/// As [`sleep`].
#[track_caller]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout { future, sleep: Sleep::new(expect_clock("timeout_at").delay_until(deadline)) }
}

/// Ticks that come now, and then once every `period`.
///
/// # Panics
///
/// If the period is zero, and as [`sleep`].
#[must_use]
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    Interval::new(expect_clock("interval").periodic(period))
}

/// Ticks that come at `start`, and then once every `period`.
///
/// # Panics
///
/// As [`interval`].
#[must_use]
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::new(expect_clock("interval_at").periodic_at(start, period))
}

/// Waits until `deadline`, and then awaits the future.
///
/// # Panics
///
/// As [`sleep`].
#[track_caller]
pub fn after<F: Future>(deadline: Instant, future: F) -> impl Future<Output = F::Output> {
    first(Sleep::new(expect_clock("after").delay_until(deadline)), future)
}

/// Waits for `duration`, counted from now, and then awaits the future.
///
/// # Panics
///
/// As [`sleep`].
#[track_caller]
pub fn after_delay<F: Future>(duration: Duration, future: F) -> impl Future<Output = F::Output> {
    first(Sleep::new(expect_clock("after_delay").delay(duration)), future)
}

async fn first<F: Future>(sleep: Sleep, future: F) -> F::Output {
    sleep.await;
    future.await
}

/// Lets the tasks that are queued on this core be polled before the caller's task goes on. A task
/// that another thread has woken since the current cycle began may come after it.
pub async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Completes at its deadline; see [`sleep`].
///
/// Like all of the core's timers it stays on the core.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    delay: Delay,
    /// Tasks end before the clock of their core. So a sleep that stays on the core cannot find that
    /// the clock has ended.
    not_send: PhantomData<*const ()>,
}

impl Sleep {
    fn new(delay: Delay) -> Self {
        Self { delay, not_send: PhantomData }
    }

    /// The time at which it completes.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.delay.deadline()
    }

    /// Whether it had completed at its latest poll.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.delay.is_over()
    }

    /// Restarts it with another deadline. The task that awaits it has to poll it again.
    pub fn reset(&mut self, deadline: Instant) {
        self.delay.reset(deadline);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.delay).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            // The core has ended, and so has every task that could await this.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

pin_project! {
    /// A future with a deadline; see [`timeout`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F> Timeout<F> {
    /// The future, in its present state.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.future.poll(cx) {
            return Poll::Ready(Ok(result));
        }
        Pin::new(this.sleep).poll(cx).map(|()| Err(Elapsed))
    }
}

/// The future of a [`timeout`] took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline has passed")
    }
}

impl std::error::Error for Elapsed {}

/// Ticks once a period; see [`interval`].
#[derive(Debug)]
pub struct Interval {
    periodic: Periodic,
    /// As in [`Sleep`].
    not_send: PhantomData<*const ()>,
}

impl Interval {
    fn new(periodic: Periodic) -> Self {
        Self { periodic, not_send: PhantomData }
    }

    /// Waits for the next tick, and returns when the tick was due. An overdue tick is returned
    /// without yielding to other tasks. Cancelling the wait loses no tick.
    pub async fn tick(&mut self) -> Instant {
        match self.periodic.tick().await {
            Ok(due) => due,
            // As in `Sleep`.
            Err(_) => pending().await,
        }
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.periodic.period()
    }

    /// What happens to missed ticks.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.periodic.missed_tick_behavior()
    }

    /// Sets what happens to missed ticks; [`Burst`](MissedTickBehavior::Burst) by default.
    pub fn set_missed_tick_behavior(&mut self, missed: MissedTickBehavior) {
        self.periodic.set_missed_tick_behavior(missed);
    }

    /// Makes the next tick come a period from now.
    pub fn reset(&mut self) {
        self.periodic.reset();
    }

    /// Makes the next tick come at `deadline`, and the others once a period after it.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.periodic.reset_at(deadline);
    }
}
