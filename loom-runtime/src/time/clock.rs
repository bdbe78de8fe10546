//! The clock, and where its time comes from.
//!
//! Firing the timers is in `driver.rs`; a clock that a test moves is in `control.rs`.

use std::fmt;
use std::time::{Instant, SystemTime};

use super::timers::Timers;
use crate::sync::Arc;

/// Reads the time, and makes timers that its driver fires.
///
/// A clock is cheap to clone and share; clones share their timers. [The module](super) lists the
/// guarantees of all clocks.
///
/// ```
/// # use std::time::Duration;
/// # fn main() -> loom::Result<()> {
/// let runtime = loom::LoomBuilder::new().build()?;
/// let clock = runtime.clock().clone();
/// runtime.block_on(async move {
///     let watch = clock.stopwatch();
///     clock.delay(Duration::from_millis(2)).await.expect("the runtime drives it");
///     assert!(watch.elapsed() >= Duration::from_millis(2));
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Clock {
    shared: Arc<ClockShared>,
}

/// Where a clock reads the time.
#[derive(Clone)]
pub(super) enum Source {
    System,
    /// The time that a function returns; the time of day moves by the same amount.
    #[cfg(any(feature = "test-util", test))]
    Given(Arc<Given>),
}

/// A function that returns the time, and the values at the start.
#[cfg(any(feature = "test-util", test))]
pub(super) struct Given {
    now: Box<dyn Fn() -> Instant + Send + Sync>,
    from: Instant,
    system_from: SystemTime,
}

#[cfg(any(feature = "test-util", test))]
impl Given {
    pub(super) fn new(
        system_from: SystemTime,
        now: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        Self { from: now(), system_from, now: Box::new(now) }
    }
}

/// What all clones of a clock share. The last clone drops it, and it then unregisters the clock.
struct ClockShared {
    timers: Arc<Timers>,
    source: Source,
    #[cfg(any(feature = "test-util", test))]
    control: Option<super::ClockControl>,
}

impl Drop for ClockShared {
    fn drop(&mut self) {
        self.timers.remove_clock();
    }
}

impl Clock {
    pub(super) fn new(timers: Arc<Timers>, source: Source) -> Self {
        timers.add_clock();
        Self {
            shared: Arc::new(ClockShared {
                timers,
                source,
                #[cfg(any(feature = "test-util", test))]
                control: None,
            }),
        }
    }

    #[cfg(any(feature = "test-util", test))]
    pub(super) fn controlled(
        timers: Arc<Timers>,
        source: Source,
        control: super::ClockControl,
    ) -> Self {
        timers.add_clock();
        Self { shared: Arc::new(ClockShared { timers, source, control: Some(control) }) }
    }

    pub(super) fn timers(&self) -> &Timers {
        &self.shared.timers
    }

    /// Called after a timer was registered. True if the clock moved for it, so that the timer may
    /// be due.
    #[cfg(any(feature = "test-util", test))]
    pub(super) fn moves_for_a_timer(&self, deadline: Instant) -> bool {
        self.shared.control.as_ref().is_some_and(|control| control.advance_by_itself(deadline))
    }

    /// Without `test-util` no clock moves for a timer.
    #[cfg(not(any(feature = "test-util", test)))]
    #[expect(clippy::unused_self, reason = "the form for tests uses it")]
    pub(super) fn moves_for_a_timer(&self, _deadline: Instant) -> bool {
        false
    }

    /// The time as an [`Instant`], for measuring.
    #[must_use]
    pub fn instant(&self) -> Instant {
        match &self.shared.source {
            Source::System => Instant::now(),
            #[cfg(any(feature = "test-util", test))]
            Source::Given(given) => (given.now)(),
        }
    }

    /// The time of day. It may jump, as the system's time does. A [`ClockControl`](super) moves it
    /// together with its clocks.
    #[must_use]
    pub fn system_time(&self) -> SystemTime {
        match &self.shared.source {
            Source::System => SystemTime::now(),
            #[cfg(any(feature = "test-util", test))]
            Source::Given(given) => {
                given.system_from + (given.now)().saturating_duration_since(given.from)
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_real = matches!(self.shared.source, Source::System);
        let timers = self.timers().len();
        f.debug_struct("Clock").field("is_real", &is_real).field("timers", &timers).finish()
    }
}
