//! The state word: who may do what to a slot (the tables in `README.md`).

use crate::sync::modelled::{AtomicUsize, Ordering};

use super::outcome::Priority;

const PHASE: usize = 0b111;
const QUEUED: usize = 0;
const RUNNING: usize = 1;
const SETTLED: usize = 2;
const DONE: usize = 3;
/// With the bit of `RUNNING`, so that `start` leaves it as it is.
const CANCELLED: usize = 5;

/// A flag for either cell (B3).
const WAKERS: usize = 0b11 << 3;
const ORPHANED: usize = 1 << 5;
const UNWANTED: usize = 1 << 6;
const LEFT: usize = 1 << 7;
/// From here on the priority, until the job settles.
const PRIORITY: u32 = 8;

/// One of the two cells for a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    A,
    B,
}

impl Cell {
    const fn flag(self) -> usize {
        match self {
            Self::A => 1 << 3,
            Self::B => 1 << 4,
        }
    }

    /// Which cell the state says a waker is in.
    const fn shown(state: usize) -> Option<Self> {
        if state & Self::A.flag() != 0 {
            Some(Self::A)
        } else if state & Self::B.flag() != 0 {
            Some(Self::B)
        } else {
            None
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What the job has to do next.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    Run,
    /// The caller gave up before; the closure is not the job's.
    Cancelled,
}

/// What the job has to do once the outcome is stored.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// The outcome is the call's from now on; the waker in the cell, if any, is the job's.
    Settled(Option<Cell>),
    /// The call was dropped; outcome and slot are the job's.
    Orphaned { unwanted: bool },
}

/// What the job has to do to leave the slot.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Publish {
    /// Wake whose waker it has; the slot is the call's.
    Done,
    /// Take the waker, which is another one, and try again.
    WithWaker(Cell),
    /// The call is being dropped, and drops the outcome: leave.
    Orphaned,
}

/// What the call has to do to go.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// The job goes on without it; the slot is the job's.
    Orphaned,
    /// The closure is the call's, to drop; then leave.
    Cancelled,
    /// The outcome is the call's, to drop; then leave.
    Settled,
    /// The outcome and the slot are the call's.
    Done,
}

#[derive(Debug)]
pub(super) struct State(AtomicUsize);

impl State {
    pub(super) fn new(priority: Priority) -> Self {
        Self(AtomicUsize::new(QUEUED | (priority as usize) << PRIORITY))
    }

    /// Queue: in which list the job waits.
    pub(super) fn priority(&self) -> usize {
        // Relaxed: it does not change while the job waits.
        self.0.load(Ordering::Relaxed) >> PRIORITY
    }

    /// Job: begins to run, unless the caller has given up (B2).
    pub(super) fn start(&self) -> Start {
        // Acquire: with the queue's release (B1); what a caller did before it cancelled is
        // its own until it leaves.
        match self.0.fetch_or(RUNNING, Ordering::Acquire) & PHASE {
            QUEUED => Start::Run,
            _ => Start::Cancelled,
        }
    }

    /// Job: hands the outcome over (B6).
    pub(super) fn settle(&self) -> Settle {
        let mut state = self.0.load(Ordering::Acquire);
        loop {
            if state & ORPHANED != 0 {
                // Acquired: what the call did to the cells before it went.
                return Settle::Orphaned { unwanted: state & UNWANTED != 0 };
            }
            // Release: the outcome, for `is_done` and `give_up`. Acquire: the waker, from
            // `show_waker` (B1).
            match self.swap(state, SETTLED) {
                Ok(()) => return Settle::Settled(Cell::shown(state)),
                Err(now) => state = now,
            }
        }
    }

    /// Job: lets go of the slot (B3).
    pub(super) fn publish(&self) -> Publish {
        let mut state = self.0.load(Ordering::Acquire);
        loop {
            if state & ORPHANED != 0 {
                return Publish::Orphaned;
            }
            // Release and acquire as in `settle`.
            match Cell::shown(state) {
                None => match self.swap(state, DONE) {
                    Ok(()) => return Publish::Done,
                    Err(now) => state = now,
                },
                Some(cell) => match self.swap(state, SETTLED) {
                    Ok(()) => return Publish::WithWaker(cell),
                    Err(now) => state = now,
                },
            }
        }
    }

    fn swap(&self, from: usize, to: usize) -> Result<(), usize> {
        let swapped = self.0.compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Acquire);
        swapped.map(|_| ())
    }

    /// Call: whether the outcome can be taken.
    pub(super) fn is_done(&self) -> bool {
        // Acquire: with the release of `publish` (B1).
        self.0.load(Ordering::Acquire) & PHASE == DONE
    }

    /// Queue: whether the caller has given up before the job started.
    pub(super) fn is_cancelled(&self) -> bool {
        // Relaxed: the phase does not change again, and the end that frees the slot acquires it.
        self.0.load(Ordering::Relaxed) & PHASE == CANCELLED
    }

    /// Call: whether a thread has taken the job.
    pub(super) fn has_started(&self) -> bool {
        // Relaxed: a hint for how long to wait.
        self.0.load(Ordering::Relaxed) & PHASE != QUEUED
    }

    /// Call: takes back the cell that it showed, so as to change what is in it. False if
    /// the job has taken what was in it, and may still be at it.
    pub(super) fn hide_waker(&self, cell: Cell) -> bool {
        // Acquire: what the job did to the other cell, before it took this one (B3).
        self.0.fetch_and(!WAKERS, Ordering::Acquire) & cell.flag() != 0
    }

    /// Call: shows the job the waker that is in the cell. False once it is done (B3); the
    /// cell is the call's again then.
    pub(super) fn show_waker(&self, cell: Cell) -> bool {
        let mut state = self.0.load(Ordering::Acquire);
        while state & PHASE != DONE {
            // Release: the cell, for `settle` and `publish`. Acquire, and so on failure: the
            // outcome, where it is done (B1).
            match self.swap(state, state | cell.flag()) {
                Ok(()) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Call: goes, as one that waited or as one that never did (B4). Its waker is hidden.
    pub(super) fn give_up(&self, waited: bool) -> GiveUp {
        let mut state = self.0.load(Ordering::Acquire);
        loop {
            let orphan = state | ORPHANED;
            let (next, then) = match state & PHASE {
                QUEUED if waited => (state - QUEUED + CANCELLED, GiveUp::Cancelled),
                RUNNING if waited => (orphan | UNWANTED, GiveUp::Orphaned),
                QUEUED | RUNNING => (orphan, GiveUp::Orphaned),
                SETTLED => (orphan, GiveUp::Settled),
                _ => (state, GiveUp::Done),
            };
            // Acquire: the outcome, from `settle`. Release: the cells, for the job (B1).
            match self.swap(state, next) {
                Ok(()) => return then,
                Err(now) => state = now,
            }
        }
    }

    /// Either end lets go; true for the second, which gives the block back.
    pub(super) fn leave(&self) -> bool {
        // AcqRel: whatever the first did to the slot happens before the second frees it.
        self.0.fetch_or(LEFT, Ordering::AcqRel) & LEFT != 0
    }

    /// Job: whether the call had been polled and was dropped.
    pub(super) fn is_unwanted(&self) -> bool {
        // Relaxed: nothing of the caller's is touched after.
        self.0.load(Ordering::Relaxed) & UNWANTED != 0
    }
}
