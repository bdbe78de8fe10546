//! The state word: who may do what to a slot (the table in `README.md`).

use crate::sync::atomic::{AtomicU8, Ordering};

const QUEUED: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const CANCELLED: u8 = 3;
const ABANDONED: u8 = 4;

/// What the job has to do next.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    Run,
    /// The caller went before; drop the closure.
    Cancelled,
}

/// What the job has to do once the outcome is stored.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Complete {
    Wake,
    /// The caller went meanwhile; drop the outcome.
    Abandoned,
}

#[derive(Debug)]
pub(super) struct State(AtomicU8);

impl State {
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(QUEUED))
    }

    /// Job: begins to run, unless the caller has gone (rule B2).
    pub(super) fn start(&self) -> Start {
        // Relaxed: the closure came with the job, through the pool's queue; the state
        // itself guards no memory yet.
        match self.0.compare_exchange(QUEUED, RUNNING, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Start::Run,
            Err(_) => Start::Cancelled,
        }
    }

    /// Job: publishes the outcome, from `RUNNING`, or from `QUEUED` to refuse the call.
    pub(super) fn complete(&self) -> Complete {
        let publish = |state| {
            // Release: pairs with the acquire in `is_done` (rule B1).
            self.0.compare_exchange(state, DONE, Ordering::Release, Ordering::Relaxed)
        };
        match publish(RUNNING).or_else(|_| publish(QUEUED)) {
            Ok(_) => Complete::Wake,
            Err(_) => Complete::Abandoned,
        }
    }

    /// Call: whether the outcome is there to take.
    pub(super) fn is_done(&self) -> bool {
        // Acquire: pairs with the release in `complete` (rule B1).
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Job: whether the caller has gone while it ran.
    pub(super) fn is_abandoned(&self) -> bool {
        // Relaxed: nothing of the caller's is touched after.
        self.0.load(Ordering::Relaxed) == ABANDONED
    }

    /// Call: gives up, and tells whether there was anything to give up.
    pub(super) fn cancel(&self) -> bool {
        let swap = |from, to| {
            // Relaxed: the call hands nothing over; it only stops looking.
            self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
        };
        // In this order, since a call only ever moves from QUEUED to RUNNING.
        swap(QUEUED, CANCELLED).is_ok() || swap(RUNNING, ABANDONED).is_ok()
    }
}
