//! Clocks that a runtime, a local core or a test drives.
//!
//! A [`Clock`] reads the time and makes [`Delay`]s. A [`ClockDriver`] fires its timers, and an
//! event loop advances the driver. The runtime drives
//! [`LoomRuntime::clock`](crate::LoomRuntime::clock), which all its threads share. Each local core
//! drives a clock of its own, whose timers no other core can delay. In a test, a `ClockControl`
//! (feature `test-util`) moves the time.
//!
//! This module owns clocks, timers and their drivers. It owns no thread and no event loop, and does
//! not use tokio's timers.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use loom::time::InactiveClock;
//!
//! let (clock, mut driver) = InactiveClock::new().activate();
//! let delay = clock.delay(Duration::from_millis(5));
//! // An event loop of the program: sleep until the first timer, then fire the due timers.
//! let executor = std::thread::spawn(move || {
//!     let mut executor = loom::local::Executor::new(1);
//!     let done = executor.spawn(delay);
//!     while !done.is_finished() {
//!         executor.poll();
//!         if let Ok(Some(first)) = driver.advance_timers(Instant::now()) {
//!             std::thread::park_timeout(first.saturating_duration_since(Instant::now()));
//!         }
//!     }
//! });
//! executor.join().expect("the delay is over");
//! ```
//!
//! # Guarantees of all clocks
//!
//! A delay counts from when it was made, and never completes before its deadline. Timers fire in
//! the order of their deadlines. A timer's waker is called with no lock held. If a waker panics,
//! the other wakers are still called. A delay wakes only the waker of its latest poll. A completed
//! delay stays completed. When the driver is dropped, its delays fail ([`DriverGone`]) and do not
//! hang.
//!
//! A completed delay does not yield, and uses none of tokio's budget: a loop over overdue ticks
//! lets other tasks run only where it awaits something else.
//!
//! # Cost
//!
//! Timers are stored in an ordered map, behind a lock that all users of a clock share. The time to
//! register or fire a timer grows with the logarithm of the number of timers (`loom-bench local`).

mod clock;
#[cfg(any(feature = "test-util", test))]
mod control;
mod delay;
mod driver;
mod inactive;
mod periodic;
mod stopwatch;
mod timers;

#[cfg(all(test, not(loom_model)))]
mod control_tests;
#[cfg(all(test, not(loom_model)))]
mod fuzz;
#[cfg(all(test, not(loom_model)))]
mod hostile_tests;
#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod tests;

use std::fmt;

pub use clock::Clock;
#[cfg(any(feature = "test-util", test))]
pub use control::ClockControl;
pub use delay::{Delay, DriverGone, Timeout, TimeoutError};
pub use driver::{ClockDriver, ClockGone};
pub use inactive::{InactiveClock, Isolated, Shared};
pub use periodic::{MissedTickBehavior, Periodic};
pub use stopwatch::Stopwatch;

/// The number of a local core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(usize);

impl CoreId {
    /// The id of the core with that number; the first core has number 0.
    #[must_use]
    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    /// The core's number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

impl fmt::Display for CoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local core {}", self.0)
    }
}
