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
    /// There is work, which was counted before. True if nobody watches: whoever is told so sees to
    /// it.
    pub(super) fn begin(&self) -> bool {
        // A load first: the line is shared by all who submit, and seldom changes.
        // SeqCst: with `may_end`.
        match self.0.load(Ordering::SeqCst) {
            WATCHED => false,
            QUIET if self.swap(QUIET) => false,
            // The keeper may have forgotten it just now. It is watched from now on, whoever swaps.
            _ => self.swap(UNWATCHED),
        }
    }

    /// Nobody watches, after all.
    pub(super) fn stop(&self) {
        self.0.store(UNWATCHED, Ordering::Relaxed);
    }

    fn swap(&self, from: u32) -> bool {
        self.0.compare_exchange(from, WATCHED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Whether watching may end: there was no work just now, and none since this was last asked.
    ///
    /// Either `has_work` sees the count of whoever comes in this instant, or they see that nobody
    /// watches: each writes one of the two before it reads the other, in one order of all.
    pub(super) fn may_end(&self, has_work: impl FnOnce() -> bool) -> bool {
        if self.0.load(Ordering::Relaxed) != QUIET {
            // There may have been work in between, and more at once: to come and go with
            // every call would cost more than to look once more.
            self.0.store(QUIET, Ordering::Relaxed);
            return false;
        }
        self.0.store(UNWATCHED, Ordering::SeqCst);
        // Whoever came in meanwhile and found it so has had it watched anew.
        !has_work() || self.0.swap(WATCHED, Ordering::Relaxed) != UNWATCHED
    }
}
