//! Clocks that stand still until a test moves them.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use super::clock::{Clock, Given, Source};
use super::timers::Timers;
use crate::sync::{Arc, Mutex, PoisonError};

/// Moves clocks, for tests. The clocks stand still until the test moves them.
///
/// ```
/// use std::time::Duration;
/// use loom::time::ClockControl;
///
/// let control = ClockControl::new();
/// let clock = control.clock();
/// let watch = clock.stopwatch();
/// let mut executor = loom::local::Executor::new(1);
/// let hour = executor.spawn(clock.delay(Duration::from_secs(3600)));
/// executor.poll();
/// assert!(!hour.is_finished());
/// control.advance(Duration::from_secs(3600));
/// executor.poll();
/// assert!(hour.is_finished());
/// assert_eq!(watch.elapsed(), Duration::from_secs(3600));
/// ```
#[derive(Clone)]
pub struct ClockControl {
    controlled: Arc<Controlled>,
}

struct Controlled {
    timers: Arc<Timers>,
    time: Arc<Mutex<Time>>,
    source: Source,
    driver: u64,
}

#[derive(Clone, Copy, Debug)]
struct Time {
    now: Instant,
    /// The latest time to which the clock moves by itself; `None` if it does not.
    until: Option<Instant>,
}

impl Drop for Controlled {
    fn drop(&mut self) {
        self.timers.remove_driver(self.driver);
    }
}

impl Default for ClockControl {
    fn default() -> Self {
        Self::new()
    }
}

impl ClockControl {
    /// A control whose clocks stand at the current time.
    #[must_use]
    pub fn new() -> Self {
        Self::new_at(SystemTime::now())
    }

    /// A control whose clocks stand at that time of day.
    #[must_use]
    pub fn new_at(time: SystemTime) -> Self {
        let timers = Arc::new(Timers::new());
        let driver = timers.add_driver(std::task::Waker::noop().clone());
        let now = Arc::new(Mutex::new(Time { now: Instant::now(), until: None }));
        let given = {
            let now = Arc::clone(&now);
            Given::new(time, move || now.lock().unwrap_or_else(PoisonError::into_inner).now)
        };
        let source = Source::Given(Arc::new(given));
        Self { controlled: Arc::new(Controlled { timers, time: now, source, driver }) }
    }

    /// A clock that this control moves. The clock keeps the control alive, so its delays never
    /// fail.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let Controlled { timers, source, .. } = &*self.controlled;
        Clock::controlled(Arc::clone(timers), source.clone(), self.clone())
    }

    /// Moves the time by `by`, and fires each timer that becomes due, at its deadline.
    pub fn advance(&self, by: Duration) {
        let to = super::timers::later(self.now(), by);
        self.advance_to(to);
    }

    /// Moves the time to the next deadline, and fires all timers of that deadline. Returns how far
    /// the time moved; `None` if no timer waits.
    #[expect(clippy::must_use_candidate, reason = "a caller may want the move only")]
    pub fn advance_to_next(&self) -> Option<Duration> {
        let (before, first) = (self.now(), self.controlled.timers.first()?);
        self.advance_to(first);
        Some(first.saturating_duration_since(before))
    }

    /// From now on the clock moves by itself: when a timer starts to wait whose deadline is at most
    /// `limit` after the current time, the time moves to that deadline. Earlier timers fire on the
    /// way.
    ///
    /// This is for code that waits for one timer after the other. Code that waits for several
    /// timers at once may find that the first timer has fired before the second one starts to wait.
    /// There, use `#[loom::test(start_paused)]`, which moves the time only when no other work is
    /// left.
    pub fn auto_advance(&self, limit: Duration) {
        let mut time = self.controlled.time.lock().unwrap_or_else(PoisonError::into_inner);
        time.until = Some(super::timers::later(time.now, limit));
    }

    /// Moves the time to `deadline` if it is within the limit. True if it is.
    pub(super) fn advance_by_itself(&self, deadline: Instant) -> bool {
        let is_within = self.time().until.is_some_and(|until| deadline <= until);
        if is_within {
            self.advance_to(deadline);
        }
        is_within
    }

    fn advance_to(&self, to: Instant) {
        let mut due = Vec::new();
        // Step by step: a timer that a waker registers counts from the deadline of the timer that
        // called the waker.
        while let Some(first) = self.controlled.timers.first().filter(|first| *first <= to) {
            self.set(first);
            self.controlled.timers.advance(first, &mut due);
        }
        self.set(to);
    }

    fn set(&self, now: Instant) {
        let mut time = self.controlled.time.lock().unwrap_or_else(PoisonError::into_inner);
        // Two threads may move the time at once; it never moves back.
        time.now = time.now.max(now);
    }

    fn time(&self) -> Time {
        *self.controlled.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        self.time().now
    }
}

impl fmt::Debug for ClockControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timers = self.controlled.timers.len();
        f.debug_struct("ClockControl").field("timers", &timers).finish_non_exhaustive()
    }
}
