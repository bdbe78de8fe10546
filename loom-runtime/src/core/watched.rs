//! Whether the keeper looks at a core from time to time, which it does while there is work.

use crate::sync::atomic::{AtomicU32, Ordering};

/// The keeper knows nothing of this core.
const UNWATCHED: u32 = 0;
/// It looks, and there was work since it last did.
const WATCHED: u32 = 1;
/// It looks, and there was none.
const QUIET: u32 = 2;

/// One of the words above.
#[derive(Debug)]
pub(super) struct Watched(AtomicU32);

impl Default for Watched {
    fn default() -> Self {
        Self(AtomicU32::new(UNWATCHED))
    }
}

impl Watched {
    /// There is work, which was counted before. True if the core is not watched: the caller then has
    /// it watched.
    pub(super) fn begin(&self) -> bool {
        // A load first: all submitters share the cache line, and it seldom changes.
        // SeqCst: with `may_end`.
        match self.0.load(Ordering::SeqCst) {
            WATCHED => false,
            QUIET if self.swap(QUIET) => false,
            // The keeper may have stopped watching just now. The thread that swaps has it watched.
            _ => self.swap(UNWATCHED),
        }
    }

    /// The core is not watched after all.
    pub(super) fn stop(&self) {
        self.0.store(UNWATCHED, Ordering::Relaxed);
    }

    fn swap(&self, from: u32) -> bool {
        self.0.compare_exchange(from, WATCHED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Whether watching may end: there was no work just now, and none since this was last asked.
    ///
    /// Either `has_work` sees the count of a caller that comes in this instant, or that caller sees that
    /// the core is not watched: each writes one of the two words before it reads the other, in one
    /// total order.
    pub(super) fn may_end(&self, has_work: impl FnOnce() -> bool) -> bool {
        if self.0.load(Ordering::Relaxed) != QUIET {
            // There may have been work in between, and more at once: to come and go with
            // every call would cost more than to look once more.
            self.0.store(QUIET, Ordering::Relaxed);
            return false;
        }
        self.0.store(UNWATCHED, Ordering::SeqCst);
        // A caller that came meanwhile and found it unwatched has had it watched again.
        !has_work() || self.0.swap(WATCHED, Ordering::Relaxed) != UNWATCHED
    }
}
