//! Calls that come one at a time: one that comes within another is refused.

use crate::sync::atomic::{AtomicBool, Ordering};

/// Whether a call of a future is under way.
///
/// `Relaxed`, and no read-modify-write: the calls of a holder that keeps to X3 follow one another
/// on whichever thread, so this finds only those that come within another on the same thread.
#[derive(Debug, Default)]
pub(super) struct Turn(AtomicBool);

/// A call that is under way, until this is dropped.
#[must_use]
pub(super) struct Taken<'a>(&'a Turn);

impl Turn {
    /// Begins a call; `None` within another.
    pub(super) fn take(&self) -> Option<Taken<'_>> {
        if self.0.load(Ordering::Relaxed) {
            return None;
        }
        self.0.store(true, Ordering::Relaxed);
        Some(Taken(self))
    }
}

impl Taken<'_> {
    /// No call follows this one.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}
