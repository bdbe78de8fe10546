//! Clocks that are not driven yet, and the core whose timers they will use.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::task::Waker;

use super::CoreId;
use super::clock::{Clock, Source};
use super::driver::ClockDriver;
use super::timers::Timers;
use crate::sync::{Arc, Mutex, PoisonError, Weak};

/// The kind of a clock that has separate timers on each core it is moved to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Isolated;

/// The kind of a clock that has one set of timers for all threads.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Shared;

/// A clock before it is driven. It can be made on any thread, sent to another thread, and activated
/// there.
///
/// An [`Isolated`] clock is cloned for each core and [relocated](Self::relocate) to it. Clones on
/// the same core share timers; clones on different cores do not. Clones of a clock that was never
/// relocated share timers that no core has.
///
/// All clones of a [`Shared`] clock have one set of timers. Any of their drivers fires all of these
/// timers, so one driver is enough: a thread may drop the driver that it got for a clock. Delays
/// fail when the last driver is dropped.
///
/// ```
/// use std::task::Waker;
/// use loom::time::{CoreId, InactiveClock};
///
/// let clock = InactiveClock::new();
/// let drivers: Vec<_> = (0..2)
///     .map(|core| {
///         let mut clock = clock.clone();
///         clock.relocate(None, CoreId::new(core));
///         std::thread::spawn(move || {
///             let (clock, driver) = clock.activate_with(Waker::noop().clone());
///             (clock, driver)
///         })
///     })
///     .collect();
/// assert_eq!(drivers.into_iter().filter_map(|core| core.join().ok()).count(), 2);
/// ```
pub struct InactiveClock<Kind = Isolated> {
    timers: Arc<Timers>,
    family: Arc<Family>,
    source: Source,
    kind: PhantomData<Kind>,
}

/// The timers of each core that a clone was moved to, as long as a clock or driver uses them.
#[derive(Default)]
struct Family {
    cores: Mutex<HashMap<CoreId, Weak<Timers>>>,
}

impl Family {
    fn timers_of(&self, core: CoreId) -> Arc<Timers> {
        let mut cores = self.cores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(timers) = cores.get(&core).and_then(Weak::upgrade) {
            return timers;
        }
        let timers = Arc::new(Timers::new());
        cores.insert(core, Arc::downgrade(&timers));
        timers
    }
}

impl InactiveClock<Isolated> {
    /// A clock of the real time, with separate timers for each core.
    #[must_use]
    pub fn new() -> Self {
        Self::from_source(Source::System)
    }

    /// Moves the clock to the core `to`: from now on it uses the timers of that core, which all
    /// clones on that core share, and which no clone elsewhere uses.
    ///
    /// `from` is the core where the clock was, if the caller knows it. It has no effect: the
    /// clock itself knows which timers it has.
    pub fn relocate(&mut self, from: Option<CoreId>, to: CoreId) {
        let _ = from;
        // The timers so far are dropped without the lock.
        self.timers = self.family.timers_of(to);
    }
}

impl Default for InactiveClock<Isolated> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Kind> Clone for InactiveClock<Kind> {
    fn clone(&self) -> Self {
        let (timers, family) = (Arc::clone(&self.timers), Arc::clone(&self.family));
        Self { timers, family, source: self.source.clone(), kind: PhantomData }
    }
}

impl InactiveClock<Shared> {
    /// A clock of the real time, with one set of timers.
    #[must_use]
    pub fn new_shared() -> Self {
        Self::from_source(Source::System)
    }
}

impl<Kind> InactiveClock<Kind> {
    fn from_source(source: Source) -> Self {
        let (timers, family) = (Arc::new(Timers::new()), Arc::default());
        Self { timers, family, source, kind: PhantomData }
    }

    /// The same clock with the time that `now` returns.
    #[cfg(feature = "test-util")]
    pub(crate) fn with_time(
        self,
        now: impl Fn() -> std::time::Instant + Send + Sync + 'static,
    ) -> Self {
        // The given time may be earlier than the origin of the present timers.
        let timers = Arc::new(Timers::from(now()));
        let given = super::clock::Given::new(std::time::SystemTime::now(), now);
        Self { timers, source: Source::Given(Arc::new(given)), ..self }
    }

    /// Returns the clock and its driver, for a loop that advances the driver by itself and is never
    /// woken for a new timer. A loop that sleeps until a wake uses
    /// [`activate_with`](Self::activate_with).
    #[must_use]
    pub fn activate(self) -> (Clock, ClockDriver) {
        self.activate_with(Waker::noop().clone())
    }

    /// [`activate`](Self::activate) for a loop that sleeps. `waker` is called when the first timer
    /// or an earlier timer is registered, and when the last clock is dropped. The waker must not
    /// own a clock of the driver: that clock would then never be dropped.
    #[must_use]
    pub fn activate_with(self, waker: Waker) -> (Clock, ClockDriver) {
        let driver = ClockDriver::new(Arc::clone(&self.timers), waker);
        (Clock::new(self.timers, self.source), driver)
    }
}

impl<Kind> fmt::Debug for InactiveClock<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InactiveClock").field("timers", &self.timers.len()).finish_non_exhaustive()
    }
}
