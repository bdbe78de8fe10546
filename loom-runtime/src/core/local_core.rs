//! What every room may ask of local cores: whether a thread is one, and how many tasks each has.
//!
//! The cores themselves are `local`'s.

use std::cell::Cell;

use crate::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    // It has no destructor, so it can be read while other thread-locals are dropped.
    static IS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is a local core's.
pub(crate) fn is_here() -> bool {
    IS_HERE.get()
}

/// Says whether the calling thread is a local core's, from now on.
pub(crate) fn set_here(is_here: bool) {
    IS_HERE.set(is_here);
}

/// How many tasks a local core has.
#[derive(Debug, Default)]
pub(crate) struct LocalTasks {
    /// Those that any thread gave it, each admitted by itself.
    pub(crate) sent: AtomicUsize,
    /// Those that it made itself, and it alone changes that; one admission is for all of them.
    pub(crate) own: AtomicUsize,
}

impl LocalTasks {
    pub(crate) fn count(&self) -> usize {
        self.sent.load(Ordering::Relaxed) + self.own.load(Ordering::Relaxed)
    }

    /// Those beyond what the runtime counts as admitted.
    pub(crate) fn uncounted(&self) -> usize {
        self.own.load(Ordering::Relaxed).saturating_sub(1)
    }
}
