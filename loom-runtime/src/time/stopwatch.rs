//! Measuring time.

use std::time::{Duration, Instant};

use super::clock::Clock;

impl Clock {
    /// Measures from now on.
    #[must_use]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch::new(self.clone())
    }
}

/// Measures how long something takes, by the clock that made it.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    clock: Clock,
    start: Instant,
}

impl Stopwatch {
    pub(super) fn new(clock: Clock) -> Self {
        Self { start: clock.instant(), clock }
    }

    /// Since it was made, or [restarted](Self::restart).
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.instant().saturating_duration_since(self.start)
    }

    /// Measures from now on, and returns the time until now.
    pub fn restart(&mut self) -> Duration {
        let now = self.clock.instant();
        let elapsed = now.saturating_duration_since(self.start);
        self.start = now;
        elapsed
    }
}
