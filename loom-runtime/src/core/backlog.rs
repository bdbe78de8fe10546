//! How long a call would wait for a compute thread, estimated from calls that have waited.
//!
//! When a call starts, it records how long it waited, and how many calls were queued when it was
//! submitted. The wait per queued call is the price of a place in the queue. A new call is expected
//! to wait that long for each call that is queued already. A call of high priority overtakes
//! others, so each priority has a price of its own.
//!
//! The price is known before the queue is long. The wait of the last call that started is not: that
//! call was submitted when the queue was short. Where no call ends any more, no sample comes. The
//! keeper detects that, and a new call is expected to wait at least as long as the stall has
//! lasted.
//!
//! A caller that sheds calls by this estimate sheds its samples, too. So where a priority has had
//! no sample for a while, one call is made to measure the wait (a *probe*).

use std::time::Duration;

use crate::bridge::Priority;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The time in which a sample loses two thirds of its weight, in nanoseconds.
const MEMORY: f64 = 200e6;
/// The least weight of a new sample, however soon it comes after the last one.
const LEAST_WEIGHT: f64 = 0.001;
/// The least time between the last sample and a probe, in nanoseconds.
const LEAST_PAUSE: u64 = 100_000_000;
/// After how many such times a probe counts as lost.
const LOST: u64 = 10;

/// All `Relaxed`: statistics, which publish nothing. Two threads that write at once may overwrite
/// each other's sample. Times are nanoseconds of the runtime's clock.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Backlog {
    /// One for each priority.
    prices: [Price; 3],
    /// Since when calls have waited and none has ended; 0 if there is no such stall.
    stalled_since: AtomicU64,
}

/// The wait that a place in the queue costs, from two decayed means: the wait in nanoseconds, and
/// the number of places waited for, the call's own included.
#[derive(Debug, Default)]
struct Price {
    wait: AtomicU32,
    places: AtomicU32,
    last_sample: AtomicU64,
    /// When the last probe was made.
    probed: AtomicU64,
    /// The next call has to record a sample, whether or not one is due.
    sample_wanted: AtomicBool,
}

impl Price {
    fn observe(&self, wait: f32, places: f32, now: u64) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate, which needs few digits")]
        let passed = now.saturating_sub(self.last_sample.swap(now, Ordering::Relaxed)) as f64;
        let weight = (1.0 - (-passed / MEMORY).exp()).max(LEAST_WEIGHT);
        #[expect(clippy::cast_possible_truncation, reason = "a weight, which needs few digits")]
        let weight = weight as f32;
        let blend = |mean: &AtomicU32, sample: f32| {
            let before = f32::from_bits(mean.load(Ordering::Relaxed));
            // The first sample has no earlier mean.
            let after = if before > 0.0 { before + (sample - before) * weight } else { sample };
            mean.store(after.to_bits(), Ordering::Relaxed);
        };
        blend(&self.wait, wait);
        blend(&self.places, places);
    }

    /// Nanoseconds per place, if there was a sample.
    fn per_place(&self) -> Option<f64> {
        let [wait, places] =
            [&self.wait, &self.places].map(|part| f32::from_bits(part.load(Ordering::Relaxed)));
        (places > 0.0).then(|| f64::from(wait) / f64::from(places))
    }
}

impl Backlog {
    /// Records a sample of a call that starts now: how long it waited, and how many calls waited
    /// when it was submitted.
    pub(crate) fn observe(&self, priority: Priority, wait: Duration, ahead: usize, now: u64) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate, which needs few digits")]
        let places = (ahead + 1) as f32;
        self.prices[priority as usize].observe(wait.as_secs_f32() * 1e9, places, now);
        // A load first: the cache line is shared and seldom changes.
        if self.stalled_since.load(Ordering::Relaxed) != 0 {
            self.stalled_since.store(0, Ordering::Relaxed);
        }
    }

    /// How long a call that is submitted now would wait, where `waiting` calls wait already.
    pub(crate) fn expected(&self, priority: Priority, waiting: usize, now: u64) -> Duration {
        if waiting == 0 {
            return Duration::ZERO;
        }
        // Until this priority has a sample, the price of another priority is used.
        let order = [priority, Priority::Normal, Priority::High, Priority::Low];
        let price = order.iter().find_map(|priority| self.prices[*priority as usize].per_place());
        #[expect(clippy::cast_precision_loss, reason = "an estimate, which needs few digits")]
        let nanos = price.unwrap_or_default() * waiting as f64;
        let since = self.stalled_since.load(Ordering::Relaxed);
        let stalled = if since == 0 { 0 } else { now.saturating_sub(since) };
        let stalled = Duration::from_nanos(stalled);
        Duration::try_from_secs_f64(nanos / 1e9).unwrap_or(Duration::MAX).max(stalled)
    }

    /// Whether a call that would be shed should be made as a probe: its priority has had no sample
    /// for longer than `bound`, and no other probe is under way.
    pub(crate) fn may_probe(&self, priority: Priority, bound: Duration, now: u64) -> bool {
        let Price { last_sample, probed, sample_wanted, .. } = &self.prices[priority as usize];
        let (last_sample, before) =
            (last_sample.load(Ordering::Relaxed), probed.load(Ordering::Relaxed));
        let pause = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX).max(LEAST_PAUSE);
        let is_silent = now.saturating_sub(last_sample) > pause;
        let lost = pause.saturating_mul(LOST);
        let is_under_way = before > last_sample && now.saturating_sub(before) <= lost;
        let relaxed = Ordering::Relaxed;
        let may = is_silent
            && !is_under_way
            && probed.compare_exchange(before, now, relaxed, relaxed).is_ok();
        if may {
            sample_wanted.store(true, relaxed);
        }
        may
    }

    /// Whether the call that is made now has to record a sample although none is due.
    pub(crate) fn wants_sample(&self, priority: Priority) -> bool {
        let sample_wanted = &self.prices[priority as usize].sample_wanted;
        // A load first: the cache line is shared and seldom changes.
        sample_wanted.load(Ordering::Relaxed) && sample_wanted.swap(false, Ordering::Relaxed)
    }

    /// Called by the keeper with the time since which calls have waited and none has ended.
    pub(crate) fn stalls(&self, since: Option<u64>) {
        self.stalled_since.store(since.map_or(0, |since| since.max(1)), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// Nanoseconds.
    const A_MS: u64 = 1_000_000;

    #[test]
    fn who_comes_waits_for_each_that_waits() {
        let backlog = Backlog::default();
        assert_eq!(
            backlog.expected(Priority::Normal, 10, 0),
            Duration::ZERO,
            "no call was sampled"
        );
        // Two threads, 10 ms a call.
        backlog.observe(Priority::Normal, 45 * MS, 8, 0);
        assert_eq!(backlog.expected(Priority::Normal, 0, 0), Duration::ZERO);
        assert_eq!(backlog.expected(Priority::Normal, 20, 0), 100 * MS);
    }

    #[test]
    fn priorities_wait_apart_once_they_have_told() {
        let backlog = Backlog::default();
        backlog.observe(Priority::Normal, 40 * MS, 9, 0);
        assert_eq!(backlog.expected(Priority::High, 10, 0), 40 * MS);
        backlog.observe(Priority::High, 4 * MS, 9, 0);
        assert_eq!(backlog.expected(Priority::High, 10, 0), 4 * MS);
        assert_eq!(backlog.expected(Priority::Normal, 10, 0), 40 * MS);
        assert_eq!(backlog.expected(Priority::Low, 10, 0), 40 * MS);
    }

    #[test]
    fn what_was_seen_long_ago_counts_little() {
        let backlog = Backlog::default();
        backlog.observe(Priority::Normal, 1000 * MS, 9, A_MS);
        backlog.observe(Priority::Normal, 10 * MS, 9, 2 * A_MS);
        assert!(backlog.expected(Priority::Normal, 10, 0) > 900 * MS, "a moment later");
        backlog.observe(Priority::Normal, 10 * MS, 9, 2002 * A_MS);
        assert!(backlog.expected(Priority::Normal, 10, 0) < 11 * MS, "two seconds later");
    }

    #[test]
    fn where_nothing_ends_the_next_waits_no_less() {
        let backlog = Backlog::default();
        backlog.observe(Priority::Normal, MS, 9, 0);
        backlog.stalls(Some(500 * A_MS));
        assert_eq!(backlog.expected(Priority::Normal, 2, 1200 * A_MS), 700 * MS);
        assert_eq!(backlog.expected(Priority::Normal, 0, 1200 * A_MS), Duration::ZERO);
        backlog.observe(Priority::Normal, MS, 9, 1300 * A_MS);
        assert!(backlog.expected(Priority::Normal, 2, 1300 * A_MS) < MS, "the queue moves again");
        backlog.stalls(Some(1300 * A_MS));
        backlog.stalls(None);
        assert!(backlog.expected(Priority::Normal, 2, 2000 * A_MS) < MS);
    }

    #[test]
    fn one_at_a_time_goes_to_see() {
        let backlog = Backlog::default();
        let probes = |now: u64| backlog.may_probe(Priority::High, 300 * MS, now * A_MS);
        backlog.observe(Priority::High, MS, 0, 1000 * A_MS);
        assert!(!probes(1300), "it was sampled just now");
        assert!(probes(1301));
        assert!(!probes(1302) && !probes(4301), "one is under way");
        assert!(
            backlog.wants_sample(Priority::High) && !backlog.wants_sample(Priority::High),
            "the next call has to record a sample, and only that one"
        );
        assert!(probes(4302), "the first probe counts as lost");
        backlog.observe(Priority::High, MS, 0, 12_000 * A_MS);
        assert!(!probes(12_300) && probes(12_301));
    }
}
