//! The clock as its users hold it.

use std::fmt;
use std::time::{Instant, SystemTime};

use super::timers::Timers;
use crate::sync::Arc;

/// Tells the time, and makes timers that its driver fires.
///
/// Cheap to clone and share; clones share their timers. [The module](super) says what holds for all
/// clocks.
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
    owner: Arc<Owner>,
}

/// What says the time.
#[derive(Clone)]
pub(super) enum Source {
    System,
    /// Whatever the function says; the system's time moves along with it.
    #[cfg(any(feature = "test-util", test))]
    Given(Arc<Given>),
}

/// A time that a function gives, and its first value.
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

/// Counts the clocks of one activation.
struct Owner {
    timers: Arc<Timers>,
    source: Source,
    #[cfg(any(feature = "test-util", test))]
    control: Option<super::ClockControl>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.timers.remove_clock();
    }
}

impl Clock {
    pub(super) fn new(timers: Arc<Timers>, source: Source) -> Self {
        timers.add_clock();
        Self {
            owner: Arc::new(Owner {
                timers,
                source,
                #[cfg(any(feature = "test-util", test))]
                control: None,
            }),
        }
    }

    #[cfg(any(feature = "test-util", test))]
    pub(super) fn controlled(timers: Arc<Timers>, source: Source, by: super::ClockControl) -> Self {
        timers.add_clock();
        Self { owner: Arc::new(Owner { timers, source, control: Some(by) }) }
    }

    pub(super) fn timers(&self) -> &Timers {
        &self.owner.timers
    }

    /// A timer was registered. True if it may be due since, by a clock that moves for that.
    #[cfg(any(feature = "test-util", test))]
    pub(super) fn moves_for_a_timer(&self, deadline: Instant) -> bool {
        self.owner.control.as_ref().is_some_and(|control| control.advance_by_itself(deadline))
    }

    /// Only tests have such clocks.
    #[cfg(not(any(feature = "test-util", test)))]
    #[expect(clippy::unused_self, reason = "the other form looks at it")]
    pub(super) fn moves_for_a_timer(&self, _deadline: Instant) -> bool {
        false
    }

    /// The time, for measuring.
    #[must_use]
    pub fn instant(&self) -> Instant {
        match &self.owner.source {
            Source::System => Instant::now(),
            #[cfg(any(feature = "test-util", test))]
            Source::Given(given) => (given.now)(),
        }
    }

    /// The time of day. It may jump, as the system's does. A [`ClockControl`](super) moves it along
    /// with its clocks.
    #[must_use]
    pub fn system_time(&self) -> SystemTime {
        match &self.owner.source {
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
        let is_real = matches!(self.owner.source, Source::System);
        let timers = self.timers().len();
        f.debug_struct("Clock").field("is_real", &is_real).field("timers", &timers).finish()
    }
}
