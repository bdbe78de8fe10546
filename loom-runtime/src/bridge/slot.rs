//! What the two ends of a call share.

use std::task::Waker;

use atomic_waker::AtomicWaker;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError};

use super::Outcome;
use super::state::State;

pub(super) struct Slot<R> {
    pub(super) state: State,
    pub(super) waker: AtomicWaker,
    outcome: Mutex<Option<Outcome<R>>>,
    detached: AtomicBool,
}

impl<R> Slot<R> {
    pub(super) fn new() -> Self {
        Self {
            state: State::new(),
            waker: AtomicWaker::new(),
            outcome: Mutex::new(None),
            detached: AtomicBool::new(false),
        }
    }

    /// Call: says that nobody will look at the outcome (rule B4).
    pub(super) fn detach(&self) {
        // Relaxed: a job that misses it drops the outcome a little later.
        self.detached.store(true, Ordering::Relaxed);
    }

    /// Job: whether nobody will look at the outcome.
    pub(super) fn is_detached(&self) -> bool {
        self.detached.load(Ordering::Relaxed)
    }

    /// Job: stores the outcome, before `complete` (rule B1).
    pub(super) fn put(&self, outcome: Outcome<R>) {
        *self.outcome() = Some(outcome);
    }

    /// Takes the outcome: the call after `DONE`, the job after it found itself abandoned.
    pub(super) fn take(&self) -> Option<Outcome<R>> {
        self.outcome().take()
    }

    /// Call: waits for `DONE` with this waker (rule B3).
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    fn outcome(&self) -> MutexGuard<'_, Option<Outcome<R>>> {
        // Nothing that can panic runs under the lock, so it is never poisoned; were it,
        // the value would still be whole.
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
