//! Firing timers.

use std::fmt;
use std::task::Waker;
use std::time::Instant;

use super::timers::Timers;
use crate::sync::Arc;

/// Fires the timers of a [`Clock`](super::Clock), for an event loop.
///
/// Advance it in each iteration of the loop, and sleep no longer than it returns. A driver with a
/// waker wakes the loop when that time changes: for the first timer, for an earlier one, and when
/// the last clock was dropped. The loop has to retain a wake that comes before it sleeps, as
/// [`std::thread::park`] and every runtime do.
///
/// Dropping the last driver of a clock fails its delays with [`DriverGone`](super::DriverGone).
#[derive(Debug)]
pub struct ClockDriver {
    timers: Arc<Timers>,
    number: u64,
    /// Of the last batch, for its memory.
    due: Vec<Waker>,
}

impl ClockDriver {
    pub(super) fn new(timers: Arc<Timers>, waker: Waker) -> Self {
        let number = timers.add_driver(waker);
        Self { timers, number, due: Vec::new() }
    }

    /// Fires the timers that are due by then, in the order of their deadlines, and returns the next
    /// deadline; `None` if no timer waits.
    ///
    /// It takes no lock while a timer waits and none is due.
    ///
    /// # Errors
    ///
    /// [`ClockGone`] once no timer waits and no clock is left that could make one.
    pub fn advance_timers(&mut self, now: Instant) -> Result<Option<Instant>, ClockGone> {
        if self.timers.first().is_some_and(|first| first <= now) {
            self.timers.advance(now, &mut self.due);
        }
        match self.timers.first() {
            None if !self.timers.has_clocks() => Err(ClockGone),
            first => Ok(first),
        }
    }

    /// When to come back, without firing anything: one atomic load.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.first()
    }
}

impl Drop for ClockDriver {
    fn drop(&mut self) {
        self.timers.remove_driver(self.number);
    }
}

/// Every clock of a driver was dropped, and no timer is left: there is nothing left to drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockGone;

impl fmt::Display for ClockGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every clock of this driver has been dropped, and no timer is left")
    }
}

impl std::error::Error for ClockGone {}
