//! Calls that would have gone to the compute pool, but run inline since their function observes.
//!
//! They hold up an I/O worker, and tasks wait behind them, which would not be so if the call were
//! offloaded. What the scheduler is to say of such a program is what it would decide without those
//! waits. So their time is known apart, and nothing is estimated while their tasks still wait.

use std::collections::VecDeque;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, PoisonError};

/// `Relaxed`: statistics, which publish nothing.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    /// Nanoseconds that they took.
    nanos: AtomicU64,
    /// Until when tasks may wait because of them, in nanoseconds.
    until: AtomicU64,
}

impl Withheld {
    /// A call begins, and is expected to take that many nanoseconds.
    pub(crate) fn begins(&self, expected: f64, now: u64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let expected = expected as u64;
        self.holds_up(now, expected.saturating_mul(3));
    }

    /// A call has ended, and took that many nanoseconds.
    pub(crate) fn ends(&self, took: u64, now: u64) {
        self.nanos.fetch_add(took, Ordering::Relaxed);
        self.holds_up(now, took.saturating_mul(2));
    }

    /// A worker with a load below two thirds works off what came meanwhile in twice that time, at most.
    fn holds_up(&self, now: u64, nanos: u64) {
        self.until.fetch_max(now.saturating_add(nanos), Ordering::Relaxed);
    }

    pub(super) fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    /// Whether tasks may wait because of them.
    pub(super) fn is_waited_for(&self, now: u64) -> bool {
        now < self.until.load(Ordering::Relaxed)
    }
}

/// The compute threads as they would be if those calls ran there: what observed functions are judged by
/// includes the queue that the others would make.
#[derive(Debug, Default)]
pub(crate) struct WithheldQueue(Mutex<Busy>);

/// The last calls that are remembered as waiting.
const LAST: usize = 64;

/// Times in nanoseconds.
#[derive(Debug, Default)]
struct Busy {
    /// Until when each thread would be busy.
    until: Vec<u64>,
    /// When the last calls would start.
    starts: VecDeque<u64>,
}

impl WithheldQueue {
    /// A call of that many nanoseconds would be offloaded now, to a pool of so many threads, over a way of
    /// that many.
    pub(crate) fn takes(&self, threads: usize, expected: f64, way: f64, now: u64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let [expected, way] = [expected as u64, way as u64];
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Busy { until, starts } = &mut *busy;
        until.resize(threads, 0);
        let Some(first) = until.iter_mut().min() else { return };
        let start = first.saturating_sub(now).max(way).saturating_add(now);
        *first = start.saturating_add(expected);
        if starts.len() == LAST {
            starts.pop_front();
        }
        starts.push_back(start);
    }

    /// How many calls would wait now.
    pub(crate) fn waiting(&self, now: u64) -> usize {
        let busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        busy.starts.iter().rev().take_while(|start| **start > now).count()
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_waited_for_twice_as_long_again_as_it_took() {
        let withheld = Withheld::default();
        assert!(!withheld.is_waited_for(0));
        withheld.begins(100.0, 1000);
        assert!(withheld.is_waited_for(1299) && !withheld.is_waited_for(1300));
        withheld.ends(500, 1500);
        assert!(withheld.is_waited_for(2499) && !withheld.is_waited_for(2500));
        assert_eq!(withheld.nanos(), 500);
    }

    #[test]
    fn whoever_comes_to_a_full_pool_waits_for_the_first_thread() {
        let queue = WithheldQueue::default();
        assert_eq!(queue.waiting(0), 0);
        queue.takes(2, 100.0, 5.0, 0);
        queue.takes(2, 50.0, 5.0, 0);
        assert_eq!((queue.waiting(0), queue.waiting(5)), (2, 0), "both threads have begun");
        queue.takes(2, 100.0, 5.0, 10);
        // It starts when the second call ends.
        assert_eq!((queue.waiting(54), queue.waiting(55)), (1, 0));
        queue.takes(0, 100.0, 5.0, 60);
        assert_eq!(queue.waiting(60), 0, "there is no pool");
    }
}
