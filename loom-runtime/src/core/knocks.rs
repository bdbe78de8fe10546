//! When threads are asked again to come for an open place, after one came that could not take it.

use std::time::Duration;

use crate::sync::atomic::AtomicU64;
use crate::sync::modelled::{AtomicU32, Ordering};

/// The time from one such request to the next, in nanoseconds: at first, and at most. It doubles
/// until a thread takes a place, so nobody spins while all threads are busy.
const PAUSE: [u64; 2] = [1_000_000, 100_000_000];

#[derive(Debug)]
pub(crate) struct Knocks {
    /// 1 if the keeper has been told to ask again.
    is_due: AtomicU32,
    /// When it asked last, on the runtime's clock.
    last: AtomicU64,
    /// The pause after that; 0 for the first one.
    pause: AtomicU64,
}

impl Default for Knocks {
    fn default() -> Self {
        let [last, pause] = [AtomicU64::new(0), AtomicU64::new(0)];
        Self { is_due: AtomicU32::new(0), last, pause }
    }
}

impl Knocks {
    /// A thread came that could not take a place. Returns how soon the keeper has to ask again, and
    /// `None` if it has been told.
    pub(crate) fn is_needed(&self, now: u64) -> Option<Duration> {
        // Release, with the acquire of `begin`: if this finds that the keeper was told, then the keeper
        // sees the open place when it begins.
        if self.is_due.swap(1, Ordering::Release) == 1 {
            return None;
        }
        let [first, longest] = PAUSE;
        let pause = self.pause.load(Ordering::Relaxed).clamp(first, longest);
        self.pause.store((pause * 2).min(longest), Ordering::Relaxed);
        let due = self.last.load(Ordering::Relaxed) + pause;
        Some(Duration::from_nanos(due.saturating_sub(now)))
    }

    /// The keeper is about to look for open places.
    pub(crate) fn begin(&self, now: u64) {
        self.last.store(now, Ordering::Relaxed);
        self.is_due.swap(0, Ordering::Acquire);
    }

    /// A thread has taken a place.
    #[inline]
    pub(crate) fn has_arrived(&self) {
        if self.pause.load(Ordering::Relaxed) > 0 {
            self.pause.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn the_keeper_asks_less_and_less_often_until_a_thread_comes() {
        let knocks = Knocks::default();
        let mut now = PAUSE[1];
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let soon = knocks.is_needed(now).expect("it has not been told");
            assert_eq!(knocks.is_needed(now), None, "it has been told");
            pauses.push(soon.as_millis());
            now += u64::try_from(soon.as_nanos()).expect("it is short");
            knocks.begin(now);
        }
        assert_eq!(pauses, [0, 2, 4, 8, 16, 32, 64, 100, 100]);
        knocks.has_arrived();
        assert_eq!(knocks.is_needed(now), Some(Duration::from_millis(1)));
    }
}

#[cfg(all(test, loom_model))]
mod model {
    use loom_model::sync::Arc;
    use loom_model::thread;

    use super::*;
    use crate::sync::explore::{explore, reach};

    /// A thread leaves a place open while the keeper, which another one has told, begins to look.
    #[test]
    fn the_keeper_sees_a_place_that_is_left_open_or_is_told_of_it() {
        explore(3, &["finds it", "finds none", "has to be told", "was told"], || {
            let shared = Arc::new((Knocks::default(), AtomicU32::new(0)));
            assert!(shared.0.is_needed(0).is_some(), "another thread has left a place");
            let leaving = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (knocks, open) = &*shared;
                    open.store(1, Ordering::Relaxed);
                    let tells = knocks.is_needed(0).is_some();
                    reach(if tells { "has to be told" } else { "was told" });
                    tells
                })
            };
            let (knocks, open) = &*shared;
            knocks.begin(0);
            let is_found = open.load(Ordering::Relaxed) == 1;
            reach(if is_found { "finds it" } else { "finds none" });
            let tells = leaving.join().expect("no panic");
            assert!(tells || is_found, "nobody comes for the place");
        });
    }
}
