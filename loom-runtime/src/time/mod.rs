//! Clocks that somebody drives: a runtime, a core, or a test.
//!
//! A [`Clock`] tells the time and makes [`Delay`]s. Its timers are fired by a [`ClockDriver`],
//! which whoever has an event loop advances: [`LoomRuntime::clock`](crate::LoomRuntime::clock) is
//! driven by the runtime and shared by all its threads, and each local core drives one of its own,
//! whose timers no other core can delay. In a test, `ClockControl` (feature `test-util`) drives one
//! by hand.
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
//! their deadlines; a timer's waker is called with no lock held, and one that panics keeps no
//! other from being called. A delay that is polled with another waker wakes that one. A delay that
//! is over stays over. Where the driver is gone its delays say so ([`DriverGone`]) and do not hang.
//!
//! A delay that is over completes without yielding, and takes nothing of tokio's budget: a loop
//! over ticks that are overdue lets others run where it awaits something else.
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
