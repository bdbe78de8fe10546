//! Whether the keeper checks a core from time to time, which it does while the core has work.
//!
//! A thread that begins work counts it, and then looks whether the core is watched. The keeper first
//! stops watching, and then looks whether there is work. All four steps are sequentially consistent,
//! so at least one of the two sees what the other did first.

use crate::sync::modelled::{AtomicU32, AtomicUsize, Ordering};

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
        // SeqCst: with `may_end`. A fence after it would make each call wait for its own writes.
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn end(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        // SeqCst: as the look of `may_end`, with `begin`.
        self.0.load(Ordering::SeqCst)
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
    /// Notes that there is work, which the caller has [counted](Work::begin) before. True if the core
    /// is not watched: the caller then makes the keeper watch it.
    pub(super) fn begin(&self) -> bool {
        // A load first: all submitters share the cache line, which seldom changes.
        // SeqCst: with `may_end`.
        match self.0.load(Ordering::SeqCst) {
            WATCHED => false,
            QUIET if self.swap(QUIET, WATCHED) => false,
            // The keeper may have stopped just now. The thread whose swap succeeds makes it watch
            // the core again.
            _ => self.swap(UNWATCHED, WATCHED),
        }
    }

    /// Whether the keeper checks this core, unless it is about to stop.
    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) != UNWATCHED
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
        // SeqCst: with `Work::begin`, and the load of `begin`.
        let stopped =
            self.0.compare_exchange(QUIET, UNWATCHED, Ordering::SeqCst, Ordering::Relaxed);
        if stopped.is_err() {
            // There may have been work since the last check. To stop and start again with every
            // call would cost more than one more check.
            self.0.store(QUIET, Ordering::Relaxed);
            return false;
        }
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
            // On a thread of its own: one that has begun work has a fence before its loads.
            let keeper = {
                let core = Arc::clone(&core);
                thread::spawn(move || {
                    let (work, watched) = &*core;
                    let stops = (0..2).any(|_| watched.may_end(|| work.count() > 0));
                    reach(if stops { "stops" } else { "goes on" });
                    stops
                })
            };
            work.begin();
            let asks = watched.begin();
            reach(if asks { "asks" } else { "is watched" });
            let stops = keeper.join().expect("no panic");
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
