//! Clocks that stand still until a test moves them.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use super::clock::{Clock, Given, Source};
use super::timers::Timers;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Moves clocks, for tests. The clocks stand still until the test moves them, or a timer does
/// ([`auto_advance_timers`](Self::auto_advance_timers)).
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
    /// Whether the clock moves by itself for timers.
    moves: bool,
    /// How far it may still move by itself.
    left: Duration,
    /// The latest time to which it was let move by itself; that move may still be under way.
    granted: Instant,
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
    pub fn new_at(time_of_day: SystemTime) -> Self {
        let timers = Arc::new(Timers::new());
        let driver = timers.add_driver(std::task::Waker::noop().clone());
        let now = Instant::now();
        let time = Time { now, moves: false, left: Duration::MAX, granted: now };
        let now = Arc::new(Mutex::new(time));
        let given = {
            let now = Arc::clone(&now);
            Given::new(time_of_day, move || now.lock().unwrap_or_else(PoisonError::into_inner).now)
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

    /// Moves the time by `by`. Each timer that becomes due fires while the clock stands at its
    /// deadline. That wakes tasks and does not poll them: a sleep that a task starts afterwards
    /// counts from the new time. To go step by step, call
    /// [`advance_to_next`](Self::advance_to_next) and poll in between.
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

    /// Sets whether the clock moves by itself: when a timer starts to wait, the time moves to the
    /// timer's deadline, and earlier timers fire on the way. By default it does not.
    ///
    /// This is for code that waits for one timer after the other. Code that waits for several
    /// timers at once may find that the first timer has fired before the second one starts to wait.
    /// There, use `#[loom::test(start_paused)]`, which moves the time only when no other work is
    /// left.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use loom::time::ClockControl;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let clock = ClockControl::new().auto_advance_timers(true).clock();
    /// let watch = clock.stopwatch();
    /// clock.delay(Duration::from_secs(30)).await.expect("the control drives it");
    /// assert_eq!(watch.elapsed(), Duration::from_secs(30));
    /// # }
    /// ```
    #[must_use]
    pub fn auto_advance_timers(self, enabled: bool) -> Self {
        self.lock().moves = enabled;
        self
    }

    /// Limits how far the clock moves by itself, in total from now on. A timer beyond the limit
    /// waits until the test moves the time. Without this call there is no limit. It has no effect
    /// without [`auto_advance_timers`](Self::auto_advance_timers). All clones of the control share
    /// both settings.
    #[must_use]
    pub fn auto_advance_limit(self, limit: Duration) -> Self {
        self.lock().left = limit;
        self
    }

    /// Moves the time to `deadline` if it is within the limit. True if it is.
    pub(super) fn advance_by_itself(&self, deadline: Instant) -> bool {
        {
            let mut time = self.lock();
            let distance = deadline.saturating_duration_since(time.now.max(time.granted));
            if !time.moves || distance > time.left {
                return false;
            }
            time.left -= distance;
            time.granted = time.granted.max(deadline);
        }
        self.advance_to(deadline);
        true
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
        let mut time = self.lock();
        // Two threads may move the time at once; it never moves back.
        time.now = time.now.max(now);
    }

    fn lock(&self) -> MutexGuard<'_, Time> {
        self.controlled.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        self.lock().now
    }
}

impl fmt::Debug for ClockControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timers = self.controlled.timers.len();
        f.debug_struct("ClockControl").field("timers", &timers).finish_non_exhaustive()
    }
}
