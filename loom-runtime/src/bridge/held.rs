//! Wakers that a drainer holds back for a moment (`README.md`, "Held wakers").

use std::array;
use std::mem;
use std::task::Waker;

use crate::panics::ignore_panic;
use crate::sync::TryLockError;
#[cfg(all(test, loom_model))]
use crate::sync::modelled::AtomicU32;
use crate::sync::modelled::{Mutex, MutexGuard, Ordering, fence};

/// The most wakers that one drainer holds.
const MOST: usize = 16;
/// A drainer may hold one more waker where so many more jobs wait for it.
const JOBS: usize = 2;
/// How many microseconds the jobs are expected to take together, at most, that a drainer runs while
/// it holds a waker.
const LONGEST: u32 = 200;
/// The results of shorter jobs, in microseconds, are not held: the next one comes before the thread
/// that is woken could go to sleep, and then costs no wake.
const SHORTEST: u32 = 1;

/// The wakers that one drainer holds, where another thread can wake them, too.
///
/// On a cache line of its own, since each drainer has another one.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Held {
    list: Mutex<List>,
    /// Written before and after the lock is tried. The checker changes threads before operations
    /// only: so it may while the lock is held. Nobody reads it, since who reads it might see what
    /// the writer did before.
    #[cfg(all(test, loom_model))]
    tries: AtomicU32,
}

#[derive(Debug)]
struct List {
    wakers: [Option<Waker>; MOST],
    /// How many of them there are; the others are `None`.
    length: usize,
}

impl Default for List {
    fn default() -> Self {
        Self { wakers: array::from_fn(|_| None), length: 0 }
    }
}

impl Default for Held {
    fn default() -> Self {
        Self {
            list: Mutex::new(List::default()),
            #[cfg(all(test, loom_model))]
            tries: AtomicU32::new(0),
        }
    }
}

impl Held {
    /// Holds a waker. Returns it where there is no room, or where another thread is just taking
    /// what is held.
    fn hold(&self, waker: Waker) -> Option<Waker> {
        let Some(mut list) = self.try_lock() else {
            #[cfg(all(test, loom_model))]
            crate::sync::explore::reach("the drainer waits for nobody");
            return Some(waker);
        };
        let at = list.length;
        let Some(room) = list.wakers.get_mut(at) else { return Some(waker) };
        *room = Some(waker);
        list.length += 1;
        None
    }

    /// Wakes all that is held, unless another thread has the lock just now.
    pub(crate) fn wake_all(&self) {
        // The owner finds the lock taken only by a thread that takes all that is held. The keeper finds it
        // taken by the owner, too, and looks again later.
        let Some(mut lock) = self.try_lock() else {
            #[cfg(all(test, loom_model))]
            crate::sync::explore::reach("the keeper waits for nobody");
            return;
        };
        let list = mem::take(&mut *lock);
        // The list is free again while they are woken.
        drop(lock);
        for waker in list.wakers.into_iter().flatten() {
            ignore_panic(|| waker.wake());
        }
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, List>> {
        #[cfg(all(test, loom_model))]
        self.tries.store(0, Ordering::Relaxed);
        let list = match self.list.try_lock() {
            Ok(list) => Some(list),
            Err(TryLockError::Poisoned(list)) => Some(list.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        #[cfg(all(test, loom_model))]
        self.tries.store(0, Ordering::Relaxed);
        list
    }
}

/// What one drainer holds while it drains. Dropping this wakes it.
pub(crate) struct Holding<'a> {
    at: Option<&'a Held>,
    held: usize,
    /// How many microseconds the jobs were expected to take that it has run meanwhile.
    micros: u32,
    /// The highest priority of the jobs whose wakers it holds, and that of the job that runs.
    highest: usize,
    priority: usize,
    /// Whether the job that runs is too short.
    is_shortest: bool,
}

impl<'a> Holding<'a> {
    pub(crate) fn of(at: Option<&'a Held>) -> Self {
        Self { at, held: 0, micros: 0, highest: 0, priority: 0, is_shortest: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// The drainer is about to run a job of this priority that is expected to take so many
    /// microseconds.
    pub(crate) fn runs(&mut self, priority: usize, micros: Option<u32>) {
        self.priority = priority;
        self.is_shortest = micros.is_some_and(|micros| micros <= SHORTEST);
        if self.is_empty() {
            return;
        }
        self.micros = self.micros.saturating_add(micros.unwrap_or(u32::MAX));
        if self.micros > LONGEST || priority < self.highest {
            self.wake_all();
        }
    }

    /// Holds the waker of the job that has run, or wakes it. `is_watched` says whether another thread
    /// wakes what is held, and `ahead` how many jobs wait for each drainer.
    pub(crate) fn hold_or_wake(
        &mut self,
        waker: Waker,
        is_watched: impl Fn() -> bool,
        ahead: impl FnOnce() -> usize,
    ) {
        let enough = (self.held + 1) * JOBS;
        let waker = match self.at {
            Some(held) if !self.is_shortest && is_watched() && ahead() >= enough => {
                held.hold(waker)
            }
            _ => Some(waker),
        };
        let Some(waker) = waker else {
            self.held += 1;
            self.highest = self.highest.max(self.priority);
            // SeqCst: pairs with the fence of the thread that ends the watch. Either that thread finds
            // this waker, or this one sees that the watch has ended.
            fence(Ordering::SeqCst);
            if !is_watched() {
                self.wake_all();
            }
            return;
        };
        // The order in which the jobs ended.
        self.wake_all();
        ignore_panic(|| waker.wake());
    }

    pub(super) fn wake_all(&mut self) {
        (self.micros, self.highest) = (0, 0);
        if mem::take(&mut self.held) > 0
            && let Some(held) = self.at
        {
            held.wake_all();
        }
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.wake_all();
    }
}
