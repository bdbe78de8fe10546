//! Periodic ticks, and what happens to missed ones.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::clock::Clock;
use super::delay::{Delay, DriverGone};
use super::timers::later;

const NANOS: u128 = 1_000_000_000;

/// What happens when a tick is returned a period or more after it was due. A tick that is less late
/// does not change the later ones. The words are tokio's, where more than 5 ms count as late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// All missed ticks come at once, one after the other, until none is left.
    #[default]
    Burst,
    /// The late tick comes at once. The next one is due a period after the late tick was returned.
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
        self.periodic_at(self.instant(), period)
    }

    /// Ticks that come at `start`, and then once every `period`.
    ///
    /// # Panics
    ///
    /// As [`periodic`](Self::periodic).
    #[must_use]
    #[track_caller]
    pub fn periodic_at(&self, start: Instant, period: Duration) -> Periodic {
        assert!(!period.is_zero(), "a period of zero would tick all the time: use a longer one");
        Periodic::new(self.clone(), start, period)
    }
}

/// Ticks once a period; see [`Clock::periodic`].
///
/// The stream ends when the clock's driver was dropped.
#[derive(Debug)]
pub struct Periodic {
    delay: Delay,
    clock: Clock,
    period: Duration,
    missed: MissedTickBehavior,
}

impl Periodic {
    fn new(clock: Clock, start: Instant, period: Duration) -> Self {
        let delay = clock.delay_until(start);
        Self { delay, clock, period, missed: MissedTickBehavior::default() }
    }

    /// What happens to missed ticks.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Sets what happens to missed ticks; [`Burst`](MissedTickBehavior::Burst) by default.
    pub fn set_missed_tick_behavior(&mut self, missed: MissedTickBehavior) {
        self.missed = missed;
    }

    /// Makes the next tick come at `deadline`, and the others once a period after it.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.delay.reset(deadline);
    }

    /// Makes the next tick come a period from now.
    pub fn reset(&mut self) {
        self.reset_at(later(self.clock.instant(), self.period));
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick, and returns when the tick was due. An overdue tick is returned
    /// without yielding to other tasks. Cancelling the wait loses no tick.
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
            MissedTickBehavior::Burst => next,
            MissedTickBehavior::Delay => later(now, self.period),
            MissedTickBehavior::Skip => self.next_after(due),
        };
        self.delay.reset(next);
        Poll::Ready(Ok(due))
    }

    /// The first time in the future that is a multiple of the period after `due`.
    fn next_after(&self, due: Instant) -> Instant {
        let late = self.clock.instant().saturating_duration_since(due);
        let into = late.as_nanos() % self.period.as_nanos();
        // It is less than a period, so it fits a `Duration`.
        let seconds = u64::try_from(into / NANOS).unwrap_or(u64::MAX);
        let into = Duration::new(seconds, u32::try_from(into % NANOS).unwrap_or_default());
        later(due, late.saturating_sub(into).saturating_add(self.period))
    }
}

impl Stream for Periodic {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Result::ok)
    }
}
