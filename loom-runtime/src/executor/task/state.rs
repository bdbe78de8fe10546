//! The state word of a task: its flags and its count (the table in `README.md`).
//!
//! It decides what each thread may do next, and does none of it.

use crate::sync::modelled::{AtomicUsize, Ordering};

const SCHEDULED: usize = 1;
const RUNNING: usize = 1 << 1;
const COMPLETED: usize = 1 << 2;
const ABORTED: usize = 1 << 3;
const HANDLE: usize = 1 << 4;
const WAKER: usize = 1 << 5;
/// The count of references starts at this bit.
const ONE: usize = 1 << 6;
/// The largest count. More references can only come from a leak, and a count that wraps would free
/// a task that is still in use, so the process is aborted.
const MOST: usize = usize::MAX / 2;

/// What the owner does with an entry that it has popped.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    Poll,
    /// The task was aborted while it waited.
    Cancel,
    /// The task completed while it waited: the owner drops the executor's count (L3).
    Retire,
}

/// What the owner does after a poll that returned pending.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pause {
    Parked,
    /// The task was woken during the poll: the owner makes its entry (L1).
    Again,
    /// The task was aborted during the poll; no other thread makes an entry.
    Cancel,
}

/// What the thread that completed a task has to do next.
#[must_use]
#[derive(Debug)]
pub(super) struct Completion {
    /// The handle has stored a waker, which has to be woken (L5).
    pub(super) wakes: bool,
    /// The task has no handle: the owner drops the result (L2).
    pub(super) is_unwanted: bool,
    /// The task has an entry, and retires when that entry is popped (L3).
    pub(super) has_entry: bool,
}

#[derive(Debug)]
pub(super) struct State(AtomicUsize);

impl State {
    /// The state of a new task that is about to be enqueued: with the executor's count, and the
    /// handle's.
    pub(super) fn scheduled(has_handle: bool) -> Self {
        let handle = if has_handle { HANDLE + ONE } else { 0 };
        Self(AtomicUsize::new(SCHEDULED + ONE + handle))
    }

    /// Wakes the task. True if the caller has to enqueue it.
    pub(super) fn schedule(&self) -> bool {
        // Release: with the acquire of `start`, the poll sees what the caller wrote before, also if
        // an entry exists already. Acquire: the link passes to this thread from its last user.
        self.0.fetch_or(SCHEDULED, Ordering::AcqRel) & (SCHEDULED | RUNNING | COMPLETED) == 0
    }

    /// Aborts the task: the owner does not poll it again. True if the caller has to enqueue it.
    pub(super) fn abort(&self) -> bool {
        // Release: with the acquires of `start` and `pause`, the drop of the future sees what the caller
        // did before. Acquire: as `schedule`.
        let before = self.0.fetch_or(SCHEDULED | ABORTED, Ordering::AcqRel);
        before & (SCHEDULED | RUNNING | COMPLETED) == 0
    }

    pub(super) fn is_aborted(&self) -> bool {
        // Relaxed: it only decides where in the queue the entry goes, and `start` checks again.
        self.0.load(Ordering::Relaxed) & ABORTED != 0
    }

    /// Records that the owner has popped the entry.
    pub(super) fn start(&self) -> Start {
        // Acquire: with `schedule` and `abort`.
        let before = self.0.fetch_xor(SCHEDULED | RUNNING, Ordering::Acquire);
        if before & COMPLETED != 0 {
            Start::Retire
        } else if before & ABORTED != 0 {
            Start::Cancel
        } else {
            Start::Poll
        }
    }

    /// Records that a poll has returned pending.
    pub(super) fn pause(&self) -> Pause {
        // Release: with `schedule`, the link passes to the thread that makes the next entry. Acquire:
        // with `abort`.
        let before = self.0.fetch_and(!RUNNING, Ordering::AcqRel);
        if before & ABORTED != 0 {
            Pause::Cancel
        } else if before & SCHEDULED != 0 {
            Pause::Again
        } else {
            Pause::Parked
        }
    }

    /// Records that the stage holds the result.
    pub(super) fn complete(&self) -> Completion {
        // Release: with the acquires of the handle (`is_completed`, `show_waker`, `hide_waker`,
        // `leave`). Acquire: with `show_waker`.
        let before = self.0.fetch_or(COMPLETED, Ordering::AcqRel);
        debug_assert_eq!(before & COMPLETED, 0, "a task completes once");
        Completion {
            wakes: before & (HANDLE | WAKER) == HANDLE | WAKER,
            is_unwanted: before & HANDLE == 0,
            has_entry: before & (SCHEDULED | RUNNING) == SCHEDULED,
        }
    }

    pub(super) fn is_completed(&self) -> bool {
        // Acquire: with `complete`.
        self.0.load(Ordering::Acquire) & COMPLETED != 0
    }

    /// Records that the handle has stored its waker in the cell. False if the task has completed.
    pub(super) fn show_waker(&self) -> bool {
        // Release: the owner reads the cell when it completes the task. Acquire: with `complete`.
        self.0.fetch_or(WAKER, Ordering::AcqRel) & COMPLETED == 0
    }

    /// Lets the handle change the cell. False if the task has completed: then the owner may be
    /// reading the cell.
    pub(super) fn hide_waker(&self) -> bool {
        // Acquire: with `complete`.
        self.0.fetch_and(!WAKER, Ordering::Acquire) & COMPLETED == 0
    }

    /// Whether the cell holds a waker that the owner will read. Only the handle calls this.
    pub(super) fn shows_waker(&self) -> bool {
        // Relaxed: only the handle sets and clears the flag.
        self.0.load(Ordering::Relaxed) & WAKER != 0
    }

    /// Records that the handle is dropped. True if the handle has to drop the result (L2).
    pub(super) fn leave(&self) -> bool {
        // Acquire: the result was written before `complete`.
        self.0.fetch_and(!HANDLE, Ordering::Acquire) & COMPLETED != 0
    }

    /// Adds a reference.
    pub(super) fn hold(&self) {
        // Relaxed: the caller has a count already, which keeps the task alive.
        if self.0.fetch_add(ONE, Ordering::Relaxed) > MOST {
            std::process::abort();
        }
    }

    /// Removes a reference. True if it was the last one.
    pub(super) fn release(&self) -> bool {
        // Release: each use of the task happens before its memory is freed.
        let before = self.0.fetch_sub(ONE, Ordering::Release);
        let was_last = before / ONE == 1;
        if was_last {
            // Acquire: all these releases. A load and not a fence, which ThreadSanitizer does not
            // know.
            self.0.load(Ordering::Acquire);
        }
        was_last
    }
}
