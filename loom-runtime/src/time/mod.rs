//! Clocks that a runtime, a local core or a test drives.
//!
//! A [`Clock`] tells the time and makes [`Delay`]s. Its timers are fired by a [`ClockDriver`],
//! which an event loop advances. The runtime drives [`LoomRuntime::clock`](crate::LoomRuntime::clock),
//! and all its threads share it. Each local core drives a clock of its own, whose timers no other
//! core can delay. In a test, a `ClockControl` (feature `test-util`) moves the time.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use loom::time::InactiveClock;
//!
//! let (clock, mut driver) = InactiveClock::new().activate();
//! let delay = clock.delay(Duration::from_millis(5));
//! // An event loop of your own: sleep until the first timer, then fire what is due.
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
//! # What holds for all of them
//!
//! A deadline counts from when its delay was made, and is never early. Timers fire in the order of
//! their deadlines. A timer's waker is called with no lock held, and a waker that panics does not keep
//! others from being called. A delay that is polled with another waker wakes that one. A completed
//! delay stays completed. When the driver is dropped, its delays fail ([`DriverGone`]) and do not
//! hang.
//!
//! A completed delay does not yield, and uses none of tokio's budget: a loop over overdue ticks lets
//! other tasks run only where it awaits something else.
//!
//! # Cost
//!
//! Timers stand in an ordered map behind a lock that a clock's users share: registering and firing
//! one take a time that grows with the logarithm of how many there are (`loom-bench local`).

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
pub use periodic::{MissedTicks, Periodic};
pub use stopwatch::Stopwatch;

/// A local core, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(usize);

impl CoreId {
    /// The core of that number, from 0 on.
    #[must_use]
    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    /// Its number.
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
