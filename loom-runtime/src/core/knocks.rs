//! When threads are asked again to come for an open place, after one came that could not take it.

use std::time::Duration;

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The time from one such request to the next, in nanoseconds: at first, and at most. It doubles
/// until a thread takes a place, so nobody spins while all threads are busy.
const PAUSE: [u64; 2] = [1_000_000, 100_000_000];

#[derive(Debug, Default)]
pub(crate) struct Knocks {
    /// The keeper has been told to ask again.
    is_due: AtomicBool,
    /// When it asked last, on the runtime's clock.
    last: AtomicU64,
    /// The pause after that; 0 for the first one.
    pause: AtomicU64,
}

impl Knocks {
    /// A thread came that could not take a place. Returns how soon the keeper has to ask again, and
    /// `None` if it has been told.
    pub(crate) fn is_needed(&self, now: u64) -> Option<Duration> {
        // AcqRel, with `begin`: if this finds that the keeper was told, then the keeper sees the
        // open place when it begins.
        if self.is_due.swap(true, Ordering::AcqRel) {
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
        self.is_due.swap(false, Ordering::AcqRel);
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
