//! Firing timers, for an event loop.
//!
//! The set of timers itself is in `timers.rs`.

use std::fmt;
use std::task::Waker;
use std::time::Instant;

use super::timers::Timers;
use crate::panics::KeptWaker;
use crate::sync::Arc;

/// Fires the timers of a [`Clock`](super::Clock), for an event loop.
///
/// Advance it in each iteration of the loop, and sleep until the returned deadline at most. A
/// driver with a waker wakes the loop when it has to advance the driver again: when the first timer
/// or an earlier timer is registered, and when the last clock is dropped. The loop has to retain a
/// wake that comes before it sleeps, as [`std::thread::park`] and every runtime do.
///
/// When the last driver of a clock is dropped, the clock's delays fail with
/// [`DriverGone`](super::DriverGone).
#[derive(Debug)]
pub struct ClockDriver {
    timers: Arc<Timers>,
    number: u64,
    /// The wakers of a batch. It is kept so that its memory is reused.
    due: Vec<KeptWaker>,
}

impl ClockDriver {
    pub(super) fn new(timers: Arc<Timers>, waker: Waker) -> Self {
        let number = timers.add_driver(waker);
        Self { timers, number, due: Vec::new() }
    }

    /// Fires the timers that are due at `now`, in the order of their deadlines, and returns the
    /// next deadline; `None` if no timer waits.
    ///
    /// It takes no lock if timers wait and none of them is due.
    ///
    /// # Errors
    ///
    /// [`ClockGone`] if no timer waits and no clock is left that could make one.
    pub fn advance_timers(&mut self, now: Instant) -> Result<Option<Instant>, ClockGone> {
        if self.timers.first().is_some_and(|first| first <= now) {
            self.timers.advance(now, &mut self.due);
        }
        match self.timers.first() {
            None if !self.timers.has_clocks() => Err(ClockGone),
            first => Ok(first),
        }
    }

    /// The next deadline, without firing a timer; `None` if no timer waits. The cost is one atomic
    /// load.
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

/// Every clock of a driver was dropped, and no timer is left: the loop of the driver can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockGone;

impl fmt::Display for ClockGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every clock of this driver has been dropped, and no timer is left")
    }
}

impl std::error::Error for ClockGone {}
