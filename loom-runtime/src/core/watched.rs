//! Whether the keeper checks a core from time to time, which it does while the core has work.
//!
//! A thread that begins work counts it, and then looks whether the core is watched. The keeper first
//! stops watching, and then looks whether there is work. Each has a sequentially consistent fence
//! between its two steps, so at least one of them sees what the other did first.

use crate::sync::modelled::{AtomicU32, AtomicUsize, Ordering, fence};

/// The keeper does not know this core.
const UNWATCHED: u32 = 0;
/// The keeper checks this core, and there was work since its last check.
const WATCHED: u32 = 1;
/// The keeper checks this core, and there was no work at its last check.
const QUIET: u32 = 2;

/// How much work of one kind a core has.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Work(AtomicUsize);

impl Default for Work {
    fn default() -> Self {
        Self(AtomicUsize::new(0))
    }
}

impl Work {
    /// Counts work that begins, and returns how much there was. The caller then calls
    /// [`Watched::begin`].
    pub(crate) fn begin(&self) -> usize {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        // With the fence of `may_end`.
        fence(Ordering::SeqCst);
        before
    }

    pub(crate) fn end(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of the states above.
#[derive(Debug)]
pub(super) struct Watched(AtomicU32);

impl Default for Watched {
    fn default() -> Self {
        Self(AtomicU32::new(UNWATCHED))
    }
}

impl Watched {
    /// Notes that there is work, which the caller has [counted](Work::begin) before. True if the core is not watched:
    /// the caller then makes the keeper watch it.
    pub(super) fn begin(&self) -> bool {
        // A load first: all submitters share the cache line, which seldom changes.
        match self.0.load(Ordering::Relaxed) {
            WATCHED => false,
            QUIET if self.swap(QUIET, WATCHED) => false,
            // The keeper may have stopped just now. The thread whose swap succeeds makes it watch
            // the core again.
            _ => self.swap(UNWATCHED, WATCHED),
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

    fn swap(&self, from: u32, to: u32) -> bool {
        self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether the keeper may stop: there is no work now, and there was none since the last call.
    pub(super) fn may_end(&self, has_work: impl FnOnce() -> bool) -> bool {
        if !self.swap(QUIET, UNWATCHED) {
            // There may have been work since the last check. To stop and start again with every
            // call would cost more than one more check.
            self.0.store(QUIET, Ordering::Relaxed);
            return false;
        }
        // With the fence of `Work::begin`.
        fence(Ordering::SeqCst);
        // A caller that saw `UNWATCHED` meanwhile makes the keeper watch the core again.
        !has_work() || !self.swap(UNWATCHED, WATCHED)
    }
}

#[cfg(all(test, loom_model))]
mod model {
    use loom_model::sync::Arc;
    use loom_model::thread;

    use super::*;
    use crate::sync::explore::{explore, reach};

    /// Work begins while the keeper looks twice. Afterwards the keeper watches the core.
    fn work_is_watched(had_ended: bool) {
        explore(4, &["asks", "goes on", "is watched", "stops"], move || {
            let core = Arc::new((Work::default(), Watched::default()));
            let (work, watched) = &*core;
            work.begin();
            assert!(watched.begin());
            work.end();
            if had_ended {
                assert!(!watched.may_end(|| false), "there was work since the last look");
            }
            let beginner = {
                let core = Arc::clone(&core);
                thread::spawn(move || {
                    core.0.begin();
                    let asks = core.1.begin();
                    reach(if asks { "asks" } else { "is watched" });
                    asks
                })
            };
            let stops = (0..2).any(|_| watched.may_end(|| work.count() > 0));
            reach(if stops { "stops" } else { "goes on" });
            let asks = beginner.join().expect("no panic");
            assert_eq!(asks, stops, "the core is watched once");
        });
    }

    #[test]
    fn work_that_begins_while_the_keeper_looks_is_watched() {
        work_is_watched(false);
    }

    #[test]
    fn work_that_begins_while_the_keeper_stops_is_watched() {
        work_is_watched(true);
    }
}
