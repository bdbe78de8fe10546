//! Measuring time by a clock.

use std::time::{Duration, Instant};

use super::clock::Clock;

impl Clock {
    /// A stopwatch that measures from now on.
    #[must_use]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch::new(self.clone())
    }
}

/// Measures elapsed time by the clock that made the stopwatch.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    clock: Clock,
    start: Instant,
}

impl Stopwatch {
    pub(super) fn new(clock: Clock) -> Self {
        Self { start: clock.instant(), clock }
    }

    /// The time since the stopwatch was made or [restarted](Self::restart).
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.instant().saturating_duration_since(self.start)
    }

    /// Returns the elapsed time, and measures from now on.
    pub fn restart(&mut self) -> Duration {
        let now = self.clock.instant();
        let elapsed = now.saturating_duration_since(self.start);
        self.start = now;
        elapsed
    }
}
