//! What every module needs to know of local cores: whether a thread is one, and how many tasks each
//! has. The local cores themselves belong to `local`.

use std::cell::Cell;

use crate::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    // It has no destructor, so it can be read while other thread-locals are dropped.
    static IS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is a local core.
pub(crate) fn is_here() -> bool {
    IS_HERE.get()
}

/// Sets whether the calling thread is a local core.
pub(crate) fn set_here(is_here: bool) {
    IS_HERE.set(is_here);
}

/// How many tasks a local core has.
#[derive(Debug, Default)]
pub(crate) struct LocalTasks {
    /// Tasks that were sent to it; each has an admission of its own.
    pub(crate) sent: AtomicUsize,
    /// Tasks that it spawned itself, all with one admission. Only its own thread writes this.
    pub(crate) own: AtomicUsize,
}

impl LocalTasks {
    pub(crate) fn count(&self) -> usize {
        self.sent.load(Ordering::Relaxed) + self.own.load(Ordering::Relaxed)
    }

    /// The tasks that the runtime does not count as admitted: all of `own` but one.
    pub(crate) fn uncounted(&self) -> usize {
        self.own.load(Ordering::Relaxed).saturating_sub(1)
    }
}
