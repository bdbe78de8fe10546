//! Waiting for a deadline, alone or together with a future.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::clock::Clock;
use super::timers::{Key, Timer, later};

/// The clock's driver was dropped, so its timers never fire.
///
/// A runtime's clock ends with the runtime, a local core's with its core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverGone;

impl fmt::Display for DriverGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the clock's driver was dropped with its runtime or local core, so its timers never \
             fire: end the loop that waits for them",
        )
    }
}

impl std::error::Error for DriverGone {}

impl Clock {
    /// Completes after `duration`, counted from now. A zero duration completes at once. A duration
    /// that the system cannot represent completes in about thirty years.
    ///
    /// Dropping the delay removes its timer.
    ///
    /// # Errors
    ///
    /// The delay completes at once with [`DriverGone`] if the driver was dropped. A loop over
    /// delays has to end then.
    #[must_use = "a delay does nothing unless it is awaited"]
    pub fn delay(&self, duration: Duration) -> Delay {
        if duration.is_zero() {
            return Delay::over(self.clone());
        }
        Delay::until(self.clone(), later(self.instant(), duration))
    }

    /// Completes at `deadline`, or at once if the deadline has passed.
    ///
    /// # Errors
    ///
    /// As [`delay`](Self::delay).
    #[must_use = "a delay does nothing unless it is awaited"]
    pub fn delay_until(&self, deadline: Instant) -> Delay {
        Delay::until(self.clone(), deadline)
    }

    /// Returns the future's result, unless the future takes longer than `duration` from now on. The
    /// future is polled first: if both are ready, the result is returned.
    ///
    /// # Errors
    ///
    /// If the future takes too long; and at once if the driver was dropped, although the future
    /// might still complete.
    pub fn timeout<F: Future>(&self, duration: Duration, future: F) -> Timeout<F> {
        Timeout::new(future, self.delay(duration))
    }
}

/// Completes at its deadline; see [`Clock::delay`].
///
/// Dropping it removes the timer. A completed delay may be polled again, and returns the same
/// result.
#[derive(Debug)]
pub struct Delay {
    clock: Clock,
    deadline: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    Registered(Key),
    Over(Result<(), DriverGone>),
}

impl Delay {
    pub(super) fn over(clock: Clock) -> Self {
        Self { deadline: clock.instant(), clock, state: State::Over(Ok(())) }
    }

    pub(super) fn until(clock: Clock, deadline: Instant) -> Self {
        Self { clock, deadline, state: State::New }
    }

    /// The time at which it completes.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it had completed at its latest poll. This does not read the clock.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// Restarts the delay with another deadline. The task that awaits it has to poll it again.
    pub fn reset(&mut self, deadline: Instant) {
        self.deregister();
        self.deadline = deadline;
        self.state = State::New;
    }

    fn deregister(&mut self) {
        if let State::Registered(key) = self.state {
            self.clock.timers().forget(key);
        }
    }
}

impl Future for Delay {
    type Output = Result<(), DriverGone>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { clock, deadline, state } = &mut *self;
        if let State::New = *state {
            *state = if clock.instant() >= *deadline {
                State::Over(Ok(()))
            } else if let Some(key) = clock.timers().register(*deadline, cx.waker().clone()) {
                *state = State::Registered(key);
                if !clock.moves_for_a_timer(*deadline) {
                    return Poll::Pending;
                }
                *state
            } else {
                State::Over(Err(DriverGone))
            };
        }
        if let State::Registered(key) = *state {
            match clock.timers().look(key, cx.waker()) {
                Timer::Waits => return Poll::Pending,
                Timer::Fired => *state = State::Over(Ok(())),
                Timer::Abandoned => {
                    clock.timers().forget(key);
                    *state = State::Over(Err(DriverGone));
                }
            }
        }
        match *state {
            State::Over(result) => Poll::Ready(result),
            State::New | State::Registered(_) => Poll::Pending,
        }
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.deregister();
    }
}

pin_project! {
    /// A future with a deadline; see [`Clock::timeout`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        delay: Delay,
    }
}

impl<F> Timeout<F> {
    pub(super) fn new(future: F, delay: Delay) -> Self {
        Self { future, delay }
    }

    /// The future, in its present state.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.future.poll(cx) {
            return Poll::Ready(Ok(result));
        }
        Pin::new(this.delay)
            .poll(cx)
            .map(|over| Err(over.map_or_else(TimeoutError::DriverGone, |()| TimeoutError::Elapsed)))
    }
}

/// Why a future with a deadline has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// The future took too long.
    Elapsed,
    /// The clock's driver was dropped, so the deadline can no longer be observed. The future was
    /// not ready.
    DriverGone(DriverGone),
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elapsed => f.write_str("the deadline has passed"),
            Self::DriverGone(gone) => gone.fmt(f),
        }
    }
}

impl std::error::Error for TimeoutError {}
