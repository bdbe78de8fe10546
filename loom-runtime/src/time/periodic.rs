//! Periodic ticks, and what happens to missed ones.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::clock::Clock;
use super::delay::{Delay, DriverGone};
use super::timers::later;

/// What happens to missed ticks. A tick is missed if the next tick is due as well; a tick that is
/// less late has no effect on the later ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    /// All missed ticks come at once, one after the other, until none is left.
    #[default]
    Burst,
    /// The late tick comes at once, and the next one a whole period after it.
    Delay,
    /// The late tick comes at once, and the next one at its regular time: a multiple of the period
    /// after the first tick.
    Skip,
}

impl Clock {
    /// Ticks that come now, and then once every `period`.
    ///
    /// # Panics
    ///
    /// If the period is zero.
    #[must_use]
    #[track_caller]
    pub fn periodic(&self, period: Duration) -> Periodic {
        assert!(!period.is_zero(), "a period of zero would tick all the time: use a longer one");
        Periodic::new(self.clone(), period)
    }
}

/// Ticks once a period; see [`Clock::periodic`].
///
/// The first tick comes at once. The stream ends when the clock's driver was dropped.
#[derive(Debug)]
pub struct Periodic {
    delay: Delay,
    clock: Clock,
    period: Duration,
    missed: MissedTicks,
}

impl Periodic {
    pub(super) fn new(clock: Clock, period: Duration) -> Self {
        let delay = clock.delay_until(clock.instant());
        Self { delay, clock, period, missed: MissedTicks::default() }
    }

    /// Sets what happens to missed ticks.
    #[must_use]
    pub fn missed_ticks(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick, and returns when the tick was due. Cancelling the wait loses no
    /// tick.
    ///
    /// # Errors
    ///
    /// If the clock's driver was dropped.
    pub async fn tick(&mut self) -> Result<Instant, DriverGone> {
        std::future::poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// [`tick`](Self::tick) as a poll function.
    ///
    /// # Errors
    ///
    /// As [`tick`](Self::tick).
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Result<Instant, DriverGone>> {
        ready!(Pin::new(&mut self.delay).poll(cx))?;
        let due = self.delay.deadline();
        let (next, now) = (later(due, self.period), self.clock.instant());
        let next = match self.missed {
            // The next tick is not due yet, so this tick is late but not missed.
            _ if now < next => next,
            MissedTicks::Burst => next,
            MissedTicks::Delay => later(now, self.period),
            MissedTicks::Skip => self.next_after(due),
        };
        self.delay.reset(next);
        Poll::Ready(Ok(due))
    }

    /// The first time in the future that is a multiple of the period after `due`.
    fn next_after(&self, due: Instant) -> Instant {
        let late = self.clock.instant().saturating_duration_since(due);
        let into = late.as_nanos() % self.period.as_nanos();
        // It is less than a period, so it fits a `Duration`.
        let into = Duration::from_nanos_u128(into);
        later(due, late.saturating_sub(into).saturating_add(self.period))
    }
}

impl Stream for Periodic {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Result::ok)
    }
}
