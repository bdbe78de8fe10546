//! Whether the keeper checks a core from time to time, which it does while the core has work.
//!
//! A thread that begins work counts it, and then looks whether the core is watched. The keeper first
//! stops watching, and then looks whether there is work. All four steps are sequentially consistent,
//! so at least one of the two sees what the other did first.
//!
//! The keeper also wakes what drainers hold back. A drainer puts a waker on its list, and then looks
//! whether the core is watched. The thread that ends the watch first marks the core as unwatched, and
//! then wakes what is on the lists. Both threads have a fence between their two steps. So at least one
//! of them sees what the other did first, and wakes the waker.

use crate::bridge::Held;
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

    /// The keeper does not watch the core, or will not.
    pub(super) fn stop(&self, held: &[Held]) {
        self.0.store(UNWATCHED, Ordering::Relaxed);
        wake_at_last(held);
    }

    fn swap(&self, from: u32, to: u32) -> bool {
        self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether the keeper may stop: there is no work now, and there was none since the last call.
    pub(super) fn may_end(&self, held: &[Held], has_work: impl FnOnce() -> bool) -> bool {
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
        let ends = !has_work() || !self.swap(UNWATCHED, WATCHED);
        if ends {
            wake_at_last(held);
        }
        ends
    }
}

/// Wakes what drainers hold back of a core that is not watched any more.
fn wake_at_last(held: &[Held]) {
    // SeqCst: pairs with the fence of a drainer that has just put a waker on its list. If that drainer
    // still has the lock of its list, it sees afterwards that nobody watches.
    fence(Ordering::SeqCst);
    held.iter().for_each(Held::wake_all);
}

#[cfg(all(test, loom_model))]
mod model {
    use loom_model::sync::Arc;
    use loom_model::thread;

    use std::sync::Arc as StdArc;
    use std::sync::atomic::AtomicBool;
    use std::task::{Wake, Waker};

    use super::*;
    use crate::bridge::Holding;
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
                assert!(!watched.may_end(&[], || false), "there was work since the last look");
            }
            // On a thread of its own: one that has begun work has a fence before its loads.
            let keeper = {
                let core = Arc::clone(&core);
                thread::spawn(move || {
                    let (work, watched) = &*core;
                    let stops = (0..2).any(|_| watched.may_end(&[], || work.count() > 0));
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

    #[derive(Default)]
    struct IsWoken(AtomicBool);

    impl Wake for IsWoken {
        fn wake(self: StdArc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// A drainer holds a waker, and gets no further, while the watch ends. The waker is woken.
    fn what_is_held_is_woken(
        branches: &[&str],
        end: impl Fn(&Watched, &[Held]) + Copy + Send + Sync + 'static,
    ) {
        explore(4, branches, move || {
            let core = Arc::new((Watched::default(), [Held::default()]));
            let (watched, [held]) = &*core;
            assert!(watched.begin());
            let ender = {
                let core = Arc::clone(&core);
                thread::spawn(move || end(&core.0, &core.1))
            };
            let woken = StdArc::new(IsWoken::default());
            let mut holding = Holding::of(Some(held));
            holding.runs(0, Some(10));
            holding.hold_or_wake(
                Waker::from(StdArc::clone(&woken)),
                || {
                    let is_on = watched.is_on();
                    reach(if is_on { "may hold" } else { "may not" });
                    is_on
                },
                || 16,
            );
            ender.join().expect("no panic");
            assert!(woken.0.load(Ordering::Relaxed), "nobody would wake it");
            drop(holding);
        });
    }

    #[test]
    fn what_is_held_while_nobody_can_watch_is_woken() {
        what_is_held_is_woken(
            &["may hold", "may not", "the drainer waits for nobody", "the keeper waits for nobody"],
            |watched, held| watched.stop(held),
        );
    }

    #[test]
    fn what_is_held_while_the_keeper_stops_is_woken() {
        what_is_held_is_woken(
            &["may hold", "may not", "the drainer waits for nobody", "the keeper waits for nobody"],
            |watched, held| {
                let _goes_on = watched.may_end(held, || false);
                assert!(watched.may_end(held, || false), "there was no work since the last look");
            },
        );
    }
}
