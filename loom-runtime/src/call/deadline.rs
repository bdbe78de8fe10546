//! Deadlines: times after which nobody wants a result. What a call calls inherits its deadline, on every thread.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

thread_local! {
    /// The deadline of the task or the call that runs on this thread.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The deadline of what runs now, if it has one: that of the innermost [`with_deadline`], or of the annotated function
/// with `deadline`, whichever is earlier. On the compute pool it is that of the call's caller.
///
/// Cost: a thread-local.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// # #[loom::main]
/// # async fn main() {
/// assert_eq!(loom::deadline(), None);
/// let at = Instant::now() + Duration::from_secs(5);
/// let seen = loom::with_deadline(at, async { loom::spawn_compute(loom::deadline).await });
/// assert_eq!(seen.await, Ok(Some(at)));
/// # }
/// ```
#[must_use]
pub fn deadline() -> Option<Instant> {
    DEADLINE.get()
}

/// Calls `f` with this deadline, or with none.
pub(super) fn within<R>(deadline: Option<Instant>, f: impl FnOnce() -> R) -> R {
    struct Back(Option<Instant>);
    impl Drop for Back {
        fn drop(&mut self) {
            DEADLINE.set(self.0);
        }
    }
    let _back = Back(DEADLINE.replace(deadline));
    f()
}

/// The time that tokio's timers have, which tests may hold.
pub(super) fn now() -> Instant {
    TokioInstant::now().into_std()
}

/// Whether the deadline of what runs now has passed.
pub(super) fn is_too_late() -> bool {
    deadline().is_some_and(|at| now() >= at)
}

/// A deadline has passed, or would have before the work could have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadlineExceeded {
    /// The function whose call had no time left; `None` where none was called then.
    pub function: Option<&'static str>,
    /// How late it was when this was found. Of a call that had not begun: how late its end would have been, had it
    /// taken as long as calls of its function may.
    pub by: Duration,
}

impl fmt::Display for DeadlineExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by;
        match self.function {
            Some(function) => {
                write!(f, "the deadline of a call of `{function}` was exceeded by {by:.1?}")
            }
            None => write!(f, "a deadline was exceeded by {by:.1?}"),
        }
    }
}

impl Error for DeadlineExceeded {}

/// Awaits a future until a deadline, which everything that the future calls inherits.
///
/// - A measured compute call whose deadline has passed does not start. One that waits in the queue is dropped when it can no
///   longer end in time, by what the function has taken so far; while others wait, when it is not nearly sure to.
/// - At the deadline the future is dropped, unless its result is there. Compute work that runs then sees [`is_cancelled`](crate::is_cancelled).
/// - A deadline within a deadline only makes it earlier. A call on another process of the fleet has the time that is
///   left. Tasks that the future spawns inherit nothing.
///
/// Cost: a read of the clock, a `catch_unwind` for each poll, and a timer of tokio once a poll was pending.
///
/// # Errors
///
/// [`DeadlineExceeded`], with the function whose call had no time left.
///
/// # Panics
///
/// Where the future has to wait, and the current tokio runtime has no timers.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// #[loom::compute(mode = "offload")]
/// fn render(page: u32) -> u32 {
///     page
/// }
///
/// # #[loom::main]
/// # async fn main() {
/// let soon = Instant::now() + Duration::from_secs(5);
/// assert_eq!(loom::with_deadline(soon, render(7)).await, Ok(7));
/// let late = Instant::now();
/// assert!(loom::with_deadline(late, render(7)).await.is_err());
/// # }
/// ```
pub fn with_deadline<F: Future>(at: Instant, future: F) -> WithDeadline<F> {
    WithDeadline { at, function: None, has_begun: false, future: Some(future), timer: None }
}

pin_project! {
    /// The future of [`with_deadline`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct WithDeadline<F> {
        at: Instant,
        function: Option<&'static str>,
        has_begun: bool,
        // `None` once it has ended or was given up.
        #[pin]
        future: Option<F>,
        // Made at the first poll that is pending.
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<F: Future> Future for WithDeadline<F> {
    type Output = Result<F::Output, DeadlineExceeded>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a future with a deadline was polled after it had ended")
        };
        if !*this.has_begun {
            *this.has_begun = true;
            if let Some(inherited) = deadline() {
                *this.at = inherited.min(*this.at);
            }
            let late = now().checked_duration_since(*this.at);
            if let Some(by) = late {
                this.future.set(None);
                return Poll::Ready(Err(DeadlineExceeded { function: *this.function, by }));
            }
        }
        let poll = || within(Some(*this.at), || future.poll(cx));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Ready(value)) => {
                this.future.set(None);
                return Poll::Ready(Ok(value));
            }
            Ok(Poll::Pending) => {}
            Err(payload) => match payload.downcast::<DeadlineExceeded>() {
                Ok(error) => {
                    this.future.set(None);
                    return Poll::Ready(Err(*error));
                }
                Err(payload) => resume_unwind(payload),
            },
        }
        if this.timer.is_none() {
            this.timer.set(Some(sleep_until(TokioInstant::from_std(*this.at))));
        }
        if let Some(timer) = this.timer.as_mut().as_pin_mut()
            && timer.poll(cx).is_pending()
        {
            return Poll::Pending;
        }
        this.future.set(None);
        let by = now().saturating_duration_since(*this.at);
        Poll::Ready(Err(DeadlineExceeded { function: *this.function, by }))
    }
}

impl<F> fmt::Debug for WithDeadline<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithDeadline").field("at", &self.at).finish_non_exhaustive()
    }
}

/// The call of a function with `deadline`, which ends so long after it has begun.
///
/// # Panics
///
/// With a [`DeadlineExceeded`] where it was exceeded.
pub async fn until<F: Future>(after: Duration, function: &'static str, call: F) -> F::Output {
    let at =
        now().checked_add(after).unwrap_or_else(|| now() + Duration::from_secs(24 * 365 * 3600));
    let call = WithDeadline { function: Some(function), ..with_deadline(at, call) };
    match call.await {
        Ok(value) => value,
        Err(error) => resume_unwind(Box::new(error)),
    }
}
