//! The state word of a task: who may do what next (the table in `README.md`).

use crate::sync::modelled::{AtomicUsize, Ordering, fence};

const SCHEDULED: usize = 1;
const RUNNING: usize = 1 << 1;
const COMPLETED: usize = 1 << 2;
const ABORTED: usize = 1 << 3;
const HANDLE: usize = 1 << 4;
const WAKER: usize = 1 << 5;
/// From here on the count of references.
const ONE: usize = 1 << 6;
/// More references than this are a leak that goes on; to wrap would be a use after the end.
const MOST: usize = usize::MAX / 2;

/// What the owner does with an entry that it has popped.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    Poll,
    /// It was aborted while it waited.
    Cancel,
    /// It completed while it waited: its executor's count is to be dropped (L3).
    Retire,
}

/// What the owner does after a poll that returned pending.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pause {
    Parked,
    /// It was woken meanwhile: the owner makes its entry (L1).
    Again,
    /// It was aborted meanwhile; nobody else makes an entry.
    Cancel,
}

/// What is left to do once a task has completed.
#[must_use]
#[derive(Debug)]
pub(super) struct Completion {
    /// The handle's waker is there to be read, and is waiting (L5).
    pub(super) wakes: bool,
    /// Nobody will take the result: it is the owner's to drop (L2).
    pub(super) is_unwanted: bool,
    /// An entry is out, which retires the task when it comes back (L3).
    pub(super) has_entry: bool,
}

#[derive(Debug)]
pub(super) struct State(AtomicUsize);

impl State {
    /// Of a task that is about to be enqueued. The executor's count, and the handle's.
    pub(super) fn scheduled(has_handle: bool) -> Self {
        let handle = if has_handle { HANDLE + ONE } else { 0 };
        Self(AtomicUsize::new(SCHEDULED + ONE + handle))
    }

    /// Wakes the task. True if the caller is to enqueue it.
    pub(super) fn schedule(&self) -> bool {
        // Release: what the caller wrote before is seen by the poll, with the acquire of `start`,
        // and also where the entry is out already. Acquire: the link is ours after whoever had it.
        self.0.fetch_or(SCHEDULED, Ordering::AcqRel) & (SCHEDULED | RUNNING | COMPLETED) == 0
    }

    /// The same, and nothing but its end is left for the task to do.
    pub(super) fn abort(&self) -> bool {
        // As `schedule`.
        let before = self.0.fetch_or(SCHEDULED | ABORTED, Ordering::AcqRel);
        before & (SCHEDULED | RUNNING | COMPLETED) == 0
    }

    pub(super) fn is_aborted(&self) -> bool {
        // Relaxed: it says where in the queue the entry goes, and `start` looks again.
        self.0.load(Ordering::Relaxed) & ABORTED != 0
    }

    /// The owner has popped the entry.
    pub(super) fn start(&self) -> Start {
        // AcqRel: with `schedule`, either way.
        let before = self.0.fetch_xor(SCHEDULED | RUNNING, Ordering::AcqRel);
        if before & COMPLETED != 0 {
            Start::Retire
        } else if before & ABORTED != 0 {
            Start::Cancel
        } else {
            Start::Poll
        }
    }

    /// A poll has returned pending.
    pub(super) fn pause(&self) -> Pause {
        // AcqRel: with `schedule`, either way.
        let before = self.0.fetch_and(!RUNNING, Ordering::AcqRel);
        if before & ABORTED != 0 {
            Pause::Cancel
        } else if before & SCHEDULED != 0 {
            Pause::Again
        } else {
            Pause::Parked
        }
    }

    /// The stage holds the result.
    pub(super) fn complete(&self) -> Completion {
        // Release: with the acquire of whoever takes the result. Acquire: with `show_waker`.
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

    /// The handle has put its waker into the cell. False if the task has completed.
    pub(super) fn show_waker(&self) -> bool {
        // Release: the cell is read by whoever completes the task. Acquire: with `complete`.
        self.0.fetch_or(WAKER, Ordering::AcqRel) & COMPLETED == 0
    }

    /// The handle would change the cell. False if the task has completed, and the cell may be in
    /// use.
    pub(super) fn hide_waker(&self) -> bool {
        // Acquire: with `complete`.
        self.0.fetch_and(!WAKER, Ordering::AcqRel) & COMPLETED == 0
    }

    /// Whether the cell holds a waker that the owner will read. For the handle alone.
    pub(super) fn shows_waker(&self) -> bool {
        // Relaxed: the handle itself sets and clears it.
        self.0.load(Ordering::Relaxed) & WAKER != 0
    }

    /// The handle goes. True if the result is its to drop (L2).
    pub(super) fn leave(&self) -> bool {
        // Acquire: the result was written before `complete`.
        self.0.fetch_and(!HANDLE, Ordering::AcqRel) & COMPLETED != 0
    }

    /// One reference more.
    pub(super) fn hold(&self) {
        // Relaxed: whoever asks has one already, which keeps the task there.
        if self.0.fetch_add(ONE, Ordering::Relaxed) > MOST {
            std::process::abort();
        }
    }

    /// One reference less. True if it was the last.
    pub(super) fn release(&self) -> bool {
        // Release: what was done with the task is done before it goes. Acquire: with all those.
        let before = self.0.fetch_sub(ONE, Ordering::Release);
        let was_last = before / ONE == 1;
        if was_last {
            fence(Ordering::Acquire);
        }
        was_last
    }
}
