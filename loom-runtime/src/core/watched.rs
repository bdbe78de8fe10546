//! Whether the keeper checks a core from time to time, which it does while the core has work.

use crate::sync::atomic::{AtomicU32, Ordering};

/// The keeper does not know this core.
const UNWATCHED: u32 = 0;
/// The keeper checks this core, and there was work since its last check.
const WATCHED: u32 = 1;
/// The keeper checks this core, and there was no work at its last check.
const QUIET: u32 = 2;

/// One of the states above.
#[derive(Debug)]
pub(super) struct Watched(AtomicU32);

impl Default for Watched {
    fn default() -> Self {
        Self(AtomicU32::new(UNWATCHED))
    }
}

impl Watched {
    /// Notes that there is work; the caller has counted it before. True if the core is not watched:
    /// the caller then makes the keeper watch it.
    pub(super) fn begin(&self) -> bool {
        // A load first: all submitters share the cache line, which seldom changes.
        // SeqCst: with `may_end`.
        match self.0.load(Ordering::SeqCst) {
            WATCHED => false,
            QUIET if self.swap(QUIET) => false,
            // The keeper may have stopped just now. The thread whose swap succeeds makes it watch
            // the core again.
            _ => self.swap(UNWATCHED),
        }
    }

    /// Whether the keeper checks this core, unless it is about to stop.
    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WATCHED
    }

    /// The keeper could not be made to watch the core.
    pub(super) fn stop(&self) {
        self.0.store(UNWATCHED, Ordering::Relaxed);
    }

    fn swap(&self, from: u32) -> bool {
        self.0.compare_exchange(from, WATCHED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Whether the keeper may stop: there is no work now, and there was none since the last call.
    ///
    /// If another thread calls [`begin`](Self::begin) at the same time, then either `has_work` sees
    /// the count of that thread, or that thread sees that the core is not watched. Each of the two
    /// threads writes one word before it reads the other, in one total order.
    pub(super) fn may_end(&self, has_work: impl FnOnce() -> bool) -> bool {
        if self.0.load(Ordering::Relaxed) != QUIET {
            // There may have been work since the last check. To stop and start again with every
            // call would cost more than one more check.
            self.0.store(QUIET, Ordering::Relaxed);
            return false;
        }
        self.0.store(UNWATCHED, Ordering::SeqCst);
        // A caller that saw `UNWATCHED` meanwhile makes the keeper watch the core again.
        !has_work() || self.0.swap(WATCHED, Ordering::Relaxed) != UNWATCHED
    }
}
