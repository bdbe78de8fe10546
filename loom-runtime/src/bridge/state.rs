//! The state word: which end may touch which part of a slot (the tables in `README.md`).

use crate::sync::modelled::{AtomicUsize, Ordering};

use super::outcome::Queueing;

const PHASE: usize = 0b111;
const QUEUED: usize = 0;
const RUNNING: usize = 1;
const SETTLED: usize = 2;
const DONE: usize = 3;
/// Contains the bit of `RUNNING`, so that `start` does not change it.
const CANCELLED: usize = 5;

/// One flag for each cell (B3).
const WAKERS: usize = 0b11 << 3;
const ORPHANED: usize = 1 << 5;
const UNWANTED: usize = 1 << 6;
const LEFT: usize = 1 << 7;
/// Two bits from here on hold the priority, until the job settles.
const PRIORITY: u32 = 8;
const PRIORITIES: usize = 0b11;
/// Ten bits from here on hold the microseconds that the job is expected to run, until it settles.
const RUN_TIME: u32 = 10;
/// So many microseconds or more, or an unknown number.
const LONG: usize = (1 << 10) - 1;

/// One of the two cells for a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    A,
    B,
}

impl Cell {
    pub(super) const fn flag(self) -> usize {
        match self {
            Self::A => 1 << 3,
            Self::B => 1 << 4,
        }
    }

    /// The cell that holds a waker, by its flag.
    pub(super) const fn shown(state: usize) -> Option<Self> {
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
    /// The caller gave up before; the job does not own the closure.
    Cancelled,
}

/// What the job has to do once the outcome is stored.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// The call owns the outcome from now on; the job owns the waker in the cell, if there is one.
    Settled(Option<Cell>),
    /// The call was dropped; the job owns outcome and slot.
    Orphaned { unwanted: bool },
}

/// What the job has to do to leave the slot.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Publish {
    /// The call owns the slot; wake the waker that was taken, if there is one.
    Done,
    /// The call has shown another waker: take it, and try again.
    WithWaker(Cell),
    /// The call is given up, and drops the outcome: leave.
    Orphaned,
}

/// What a call that is given up has to do next.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// The job goes on without the call, and owns the slot: do nothing.
    Orphaned,
    /// The call owns the closure: drop it, then leave.
    Cancelled,
    /// The call owns the outcome: drop it, then leave.
    Settled,
    /// The call owns outcome and slot: drop the one, free the other.
    Done,
}

#[derive(Debug)]
pub(super) struct State(AtomicUsize);

fn queued(Queueing { priority, micros }: Queueing) -> usize {
    let micros = micros.map_or(LONG, |micros| LONG.min(micros as usize));
    QUEUED | (priority as usize) << PRIORITY | micros << RUN_TIME
}

impl State {
    pub(super) fn new(queueing: Queueing) -> Self {
        Self(AtomicUsize::new(queued(queueing)))
    }

    /// Submitter, whose job was run or never made: the state of a new job.
    pub(super) fn renew(&self, queueing: Queueing) {
        // Relaxed: the step that hands the job over is a release (C7).
        self.0.store(queued(queueing), Ordering::Relaxed);
    }

    /// Queue: the list in which the job waits.
    pub(super) fn priority(&self) -> usize {
        // Relaxed: the priority does not change while the job waits.
        self.0.load(Ordering::Relaxed) >> PRIORITY & PRIORITIES
    }

    /// Job: how many microseconds it is expected to run; `None` if that is unknown, or more than a
    /// thousand.
    pub(super) fn micros(&self) -> Option<u32> {
        // Relaxed: the time does not change until the job settles.
        let micros = self.0.load(Ordering::Relaxed) >> RUN_TIME & LONG;
        u32::try_from(micros).ok().filter(|_| micros < LONG)
    }

    /// Job: begins to run, unless the caller has given up (B2).
    pub(super) fn start(&self) -> Start {
        // Relaxed: the queue has acquired what the submitter did (Q1). What a caller did before it
        // cancelled need not be seen here: the caller owns those parts until it leaves.
        match self.0.fetch_or(RUNNING, Ordering::Relaxed) & PHASE {
            QUEUED => Start::Run,
            _ => Start::Cancelled,
        }
    }

    /// Job: hands the outcome over (B6).
    pub(super) fn settle(&self) -> Settle {
        let mut state = self.0.load(Ordering::Acquire);
        loop {
            if state & ORPHANED != 0 {
                // The loads acquired what the call did to the cells before it was dropped.
                return Settle::Orphaned { unwanted: state & UNWANTED != 0 };
            }
            // Release: the outcome, pairs with `is_done` and `give_up`. Acquire: the waker, pairs
            // with `show_waker` (B1).
            match self.swap(state, SETTLED) {
                Ok(()) => return Settle::Settled(Cell::shown(state)),
                Err(now) => state = now,
            }
        }
    }

    /// Job: leaves the slot to the call (B3).
    pub(super) fn publish(&self) -> Publish {
        // Relaxed: the swap acquires, and so does `leave`.
        let mut state = self.0.load(Ordering::Relaxed);
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
        // Acquire: pairs with the release of `publish` (B1).
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

    /// Call: takes back the cell that it showed, to change the waker in it. False if the job has
    /// cleared the flag, and may still be reading the cell.
    pub(super) fn hide_waker(&self, cell: Cell) -> bool {
        // Acquire: what the job did to the other cell before it took this one, pairs with `settle`
        // and `publish` (B3).
        self.0.fetch_and(!WAKERS, Ordering::Acquire) & cell.flag() != 0
    }

    /// Call: shows the job the waker that is in the cell. False if the job is done (B3): then the
    /// call owns the cell again.
    pub(super) fn show_waker(&self, cell: Cell) -> bool {
        let mut state = self.0.load(Ordering::Acquire);
        while state & PHASE != DONE {
            // Release: the cell, pairs with `settle` and `publish`. Acquire, also on failure: the
            // outcome, if the job is done (B1).
            match self.swap(state, state | cell.flag()) {
                Ok(()) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Call: is dropped, having been polled or not (B4). Its waker is hidden already.
    pub(super) fn give_up(&self, polled: bool) -> GiveUp {
        // Relaxed: the swap acquires.
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let orphan = state | ORPHANED;
            let (next, then) = match state & PHASE {
                QUEUED if polled => (state - QUEUED + CANCELLED, GiveUp::Cancelled),
                RUNNING if polled => (orphan | UNWANTED, GiveUp::Orphaned),
                QUEUED | RUNNING => (orphan, GiveUp::Orphaned),
                SETTLED => (orphan, GiveUp::Settled),
                _ => (state, GiveUp::Done),
            };
            // Acquire: the outcome, pairs with `settle` and `publish`. Release: the cells, pairs
            // with the job's acquire in `settle` and `publish` (B1).
            match self.swap(state, next) {
                Ok(()) => return then,
                Err(now) => state = now,
            }
        }
    }

    /// Either end: leaves the slot. True for the second end, which gives the block back.
    pub(super) fn leave(&self) -> bool {
        // AcqRel: what the first end did to the slot happens before the second frees it.
        self.0.fetch_or(LEFT, Ordering::AcqRel) & LEFT != 0
    }

    /// Job: whether the call had been polled and was dropped.
    pub(super) fn is_unwanted(&self) -> bool {
        // Relaxed: the job touches nothing of the caller's because of the answer.
        self.0.load(Ordering::Relaxed) & UNWANTED != 0
    }
}
