//! How long a call would wait for a compute thread, told from those that have waited.
//!
//! A call that starts tells how long it waited, and how many waited when it came. What one
//! place in the line cost it then is what one costs now, so a call that comes now would wait
//! that long for each of those that wait already. A call of high priority passes others by,
//! so each priority has a price of its own.
//!
//! This is known before the line is long, unlike the wait of the last call that started, which
//! came when the line was short. Where no call starts any more nothing of this moves; the
//! keeper sees that, and how long it has lasted is the least that the next one waits.

use std::time::Duration;

use crate::bridge::Priority;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What a new sample weighs against those before.
const WEIGHT: f32 = 0.125;

/// All `Relaxed`: statistics, which publish nothing. Two that write at once may undo one
/// another's sample.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Backlog {
    /// By priority.
    prices: [Price; 3],
    /// Nanoseconds in which calls waited and none started.
    stalled: AtomicU64,
}

/// What a place in the line costs: decayed means of waits, in nanoseconds, and of the places
/// that were waited for, the own one among them.
#[derive(Debug, Default)]
struct Price {
    wait: AtomicU32,
    places: AtomicU32,
}

impl Price {
    fn observe(&self, wait: f32, places: f32) {
        let blend = |place: &AtomicU32, sample: f32| {
            let before = f32::from_bits(place.load(Ordering::Relaxed));
            // Nothing was seen before the first.
            let after = if before > 0.0 { before + (sample - before) * WEIGHT } else { sample };
            place.store(after.to_bits(), Ordering::Relaxed);
        };
        blend(&self.wait, wait);
        blend(&self.places, places);
    }

    /// Nanoseconds a place, if any call has told.
    fn of_a_place(&self) -> Option<f64> {
        let [wait, places] =
            [&self.wait, &self.places].map(|part| f32::from_bits(part.load(Ordering::Relaxed)));
        (places > 0.0).then(|| f64::from(wait) / f64::from(places))
    }
}

impl Backlog {
    /// Takes in how long a call waited, and how many waited when it came.
    pub(crate) fn observe(&self, priority: Priority, wait: Duration, ahead: usize) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate, which needs few digits")]
        let places = (ahead + 1) as f32;
        self.prices[priority as usize].observe(wait.as_secs_f32() * 1e9, places);
    }

    /// How long a call would wait that came now, where so many wait already.
    pub(crate) fn expected(&self, priority: Priority, waiting: usize) -> Duration {
        if waiting == 0 {
            return Duration::ZERO;
        }
        // Until a call of that priority has told, what others have.
        let order = [priority, Priority::Normal, Priority::High, Priority::Low];
        let price = order.iter().find_map(|priority| self.prices[*priority as usize].of_a_place());
        #[expect(clippy::cast_precision_loss, reason = "an estimate, which needs few digits")]
        let nanos = price.unwrap_or_default() * waiting as f64;
        let stalled = Duration::from_nanos(self.stalled.load(Ordering::Relaxed));
        Duration::try_from_secs_f64(nanos / 1e9).unwrap_or(Duration::MAX).max(stalled)
    }

    /// For the keeper: whether calls have waited for another while, and none has started.
    pub(crate) fn stalls(&self, is_stalled: bool, tick: Duration) {
        let more = if is_stalled { tick.as_nanos() } else { 0 };
        let before = if is_stalled { self.stalled.load(Ordering::Relaxed) } else { 0 };
        // A tick is a fraction of a second.
        let more = u64::try_from(more).unwrap_or(0);
        self.stalled.store(before.saturating_add(more), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn who_comes_waits_for_each_that_waits() {
        let backlog = Backlog::default();
        assert_eq!(backlog.expected(Priority::Normal, 10), Duration::ZERO, "nobody has told");
        // Two threads, 10 ms a call.
        backlog.observe(Priority::Normal, 45 * MS, 8);
        assert_eq!(backlog.expected(Priority::Normal, 0), Duration::ZERO);
        assert_eq!(backlog.expected(Priority::Normal, 20), 100 * MS);
    }

    #[test]
    fn priorities_wait_apart_once_they_have_told() {
        let backlog = Backlog::default();
        backlog.observe(Priority::Normal, 40 * MS, 9);
        assert_eq!(backlog.expected(Priority::High, 10), 40 * MS);
        backlog.observe(Priority::High, 4 * MS, 9);
        assert_eq!(backlog.expected(Priority::High, 10), 4 * MS);
        assert_eq!(backlog.expected(Priority::Normal, 10), 40 * MS);
        assert_eq!(backlog.expected(Priority::Low, 10), 40 * MS);
    }

    #[test]
    fn what_was_seen_last_counts_most() {
        let backlog = Backlog::default();
        backlog.observe(Priority::Normal, 1000 * MS, 9);
        for _ in 0..100 {
            backlog.observe(Priority::Normal, 10 * MS, 9);
        }
        let expected = backlog.expected(Priority::Normal, 10);
        assert!(10 * MS <= expected && expected < 11 * MS, "{expected:?}");
    }

    #[test]
    fn where_nothing_starts_the_next_waits_no_less() {
        let backlog = Backlog::default();
        backlog.observe(Priority::Normal, MS, 9);
        for _ in 0..5 {
            backlog.stalls(true, 100 * MS);
        }
        assert_eq!(backlog.expected(Priority::Normal, 2), 500 * MS);
        assert_eq!(backlog.expected(Priority::Normal, 0), Duration::ZERO);
        backlog.stalls(false, 100 * MS);
        assert!(backlog.expected(Priority::Normal, 2) < MS);
    }
}
