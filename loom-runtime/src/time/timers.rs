//! A set of timers, and its drivers.
//!
//! It owns no time source: callers pass the time. One lock guards the whole set. Wakers and other
//! user code are called and dropped only while the lock is not held.
//!
//! A driver that is about to sleep reads the first deadline without the lock, so it may miss a
//! timer that is being registered. A thread that registers a timer which is now the first wakes the
//! drivers afterwards. So a driver whose loop retains wakes, as parking does, reads the deadline
//! again.

use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::panics::KeptWaker;
use crate::sync::modelled::{AtomicU64, Mutex, Ordering};
use crate::sync::{Arc, PoisonError};

/// The value of `first` if no timer waits.
const NONE: u64 = u64::MAX;
/// How many timers are taken under the lock at once, so that other threads get it in between.
const BATCH: usize = 64;
/// The time that replaces one too far to represent, as in tokio: thirty years with their leap days.
const FAR: Duration = Duration::from_secs(24 * (365 * 30 + 8) * 3600);

/// `from` plus `by`; [`FAR`] after `from` if the sum cannot be represented.
pub(super) fn later(from: Instant, by: Duration) -> Instant {
    from.checked_add(by).unwrap_or_else(|| from.checked_add(FAR).unwrap_or(from))
}

/// The key of a registered timer. Keys are ordered as their timers fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    deadline: Instant,
    serial: u64,
}

/// The state of a registered timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Waits,
    Fired,
    /// Every driver was dropped, so it never fires.
    Abandoned,
}

#[derive(Debug)]
pub(super) struct Timers {
    state: Mutex<State>,
    /// The time that `first` counts from.
    origin: Instant,
    /// Nanoseconds until the first deadline, or [`NONE`]; changed under the lock.
    first: AtomicU64,
}

/// The wakers of the drivers, each with the driver's number.
type Drivers = Arc<[(u64, Arc<KeptWaker>)]>;

#[derive(Debug)]
struct State {
    /// A timer has no waker once it was abandoned and its waker was called.
    queue: BTreeMap<Key, Option<KeptWaker>>,
    /// The number of the latest timer: distinguishes timers of the same deadline.
    serial: u64,
    /// Replaced as a whole, so that their wakers are cloned and dropped without the lock.
    drivers: Drivers,
    next_driver: u64,
    /// How many clocks are registered; the clones of a clock count once.
    clocks: usize,
    /// Every driver was dropped, and none was added since.
    is_abandoned: bool,
}

impl Timers {
    pub(super) fn new() -> Self {
        Self::from(Instant::now())
    }

    /// A set for deadlines that are not before `origin`.
    pub(super) fn from(origin: Instant) -> Self {
        let state = State {
            queue: BTreeMap::new(),
            serial: 0,
            drivers: Arc::default(),
            next_driver: 0,
            clocks: 0,
            is_abandoned: false,
        };
        Self { state: Mutex::new(state), origin, first: AtomicU64::new(NONE) }
    }

    /// Calls `f` with the state, and then updates `first`.
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut state);
        let first = state.queue.first_key_value().map_or(NONE, |(key, _)| {
            let nanos = key.deadline.saturating_duration_since(self.origin).as_nanos();
            // A deadline that is centuries away counts as no timer.
            u64::try_from(nanos).unwrap_or(NONE)
        });
        // Relaxed: it publishes nothing else. The lock allows one writer at a time.
        self.first.store(first, Ordering::Relaxed);
        result
    }

    /// The first deadline. Another thread may be changing it.
    pub(super) fn first(&self) -> Option<Instant> {
        // Relaxed: a driver that is woken for a new first timer sees it by the wake.
        let first = self.first.load(Ordering::Relaxed);
        (first != NONE).then(|| later(self.origin, Duration::from_nanos(first)))
    }

    /// Adds a timer. `None` if no driver would fire it.
    pub(super) fn register(&self, deadline: Instant, waker: Waker) -> Option<Key> {
        let mut waker = Some(KeptWaker::from(waker));
        let (key, drivers) = self.with(|state| {
            if state.is_abandoned {
                return (None, None);
            }
            state.serial += 1;
            let key = Key { deadline, serial: state.serial };
            let is_first = state.queue.first_key_value().is_none_or(|(first, _)| key < *first);
            state.queue.insert(key, waker.take());
            (Some(key), is_first.then(|| Arc::clone(&state.drivers)))
        });
        wake_all(drivers.as_ref());
        key
    }

    /// The state of a timer. If it still waits, it calls this waker from now on.
    pub(super) fn look(&self, key: Key, waker: &Waker) -> Timer {
        let mut fresh = None;
        // The loop runs twice if the waker differs: it is cloned in between, without the lock.
        loop {
            let mut stale = None;
            let seen = self.with(|state| {
                let Some(entry) = state.queue.get_mut(&key) else { return Some(Timer::Fired) };
                if state.is_abandoned {
                    return Some(Timer::Abandoned);
                }
                if entry.as_ref().is_some_and(|entry| entry.will_wake(waker)) {
                    return Some(Timer::Waits);
                }
                let fresh = fresh.take()?;
                stale = entry.replace(fresh);
                Some(Timer::Waits)
            });
            drop(stale);
            match seen {
                Some(seen) => return seen,
                None => fresh = Some(KeptWaker::of(waker)),
            }
        }
    }

    /// Removes a timer, if it exists.
    pub(super) fn forget(&self, key: Key) {
        let waker = self.with(|state| state.queue.remove(&key));
        drop(waker);
    }

    /// Fires all due timers in order. `due` is a buffer that the caller reuses.
    pub(super) fn advance(&self, now: Instant, due: &mut Vec<KeptWaker>) {
        // Timers that wakers register meanwhile may be due as well. They fire too, up to a bound.
        let mut left = self.with(|state| state.queue.len()).saturating_mul(2).max(BATCH);
        while left > 0 {
            self.with(|state| {
                while due.len() < BATCH {
                    let Some(first) = state.queue.first_entry() else { break };
                    if first.key().deadline > now {
                        break;
                    }
                    due.extend(first.remove());
                }
            });
            if due.is_empty() {
                break;
            }
            left = left.saturating_sub(due.len());
            due.drain(..).for_each(KeptWaker::wake);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.with(|state| state.queue.len())
    }

    pub(super) fn has_clocks(&self) -> bool {
        self.with(|state| state.clocks > 0)
    }

    pub(super) fn add_clock(&self) {
        self.with(|state| state.clocks += 1);
    }

    /// The removal of the last clock wakes the drivers.
    pub(super) fn remove_clock(&self) {
        let drivers = self.with(|state| {
            state.clocks -= 1;
            (state.clocks == 0).then(|| Arc::clone(&state.drivers))
        });
        wake_all(drivers.as_ref());
    }

    pub(super) fn add_driver(&self, waker: Waker) -> u64 {
        let waker = Arc::new(KeptWaker::from(waker));
        let (driver, before) = self.with(|state| {
            let driver = state.next_driver;
            state.next_driver += 1;
            state.is_abandoned = false;
            let all = state.drivers.iter().cloned().chain([(driver, waker)]).collect();
            (driver, mem::replace(&mut state.drivers, all))
        });
        drop(before);
        driver
    }

    /// The removal of the last driver abandons all timers, and wakes the tasks that wait for them.
    pub(super) fn remove_driver(&self, driver: u64) {
        let (before, waiting) = self.with(|state| {
            let all = state.drivers.iter().filter(|(number, _)| *number != driver);
            let all: Drivers = all.cloned().collect();
            state.is_abandoned = all.is_empty();
            let before = mem::replace(&mut state.drivers, all);
            let waiting: Vec<KeptWaker> = if state.is_abandoned {
                state.queue.values_mut().filter_map(Option::take).collect()
            } else {
                Vec::new()
            };
            (before, waiting)
        });
        drop(before);
        waiting.into_iter().for_each(KeptWaker::wake);
    }
}

fn wake_all(drivers: Option<&Drivers>) {
    for (_, waker) in drivers.into_iter().flat_map(|drivers| drivers.iter()) {
        waker.wake_by_ref();
    }
}
