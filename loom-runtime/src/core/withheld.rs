//! Calls that would have gone to the compute pool, but run inline since their function observes.
//!
//! They hold up an I/O worker, and tasks wait behind them, which would not be so if the call were
//! offloaded. What the scheduler is to say of such a program is what it would decide without those
//! waits. So the pressure by which they are judged leaves their time out, and is not estimated while
//! their tasks still wait.

use std::collections::VecDeque;

use tokio::runtime::Handle;

use crate::scheduler::MabKnobs;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, PoisonError};

use super::pressure::{HOLDS, Inline, Pressure};

/// How many estimates are kept.
const PAST: usize = 32;
/// The oldest estimate that is used, in nanoseconds: where tasks always wait because of such calls, the
/// pressure is estimated all the same.
const OLDEST: u64 = 100_000_000;

/// `Relaxed`: statistics, which publish nothing.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    /// Nanoseconds that they took.
    nanos: AtomicU64,
    /// Until when tasks may wait because of them, in nanoseconds.
    until: AtomicU64,
    /// The pressure as it would be without them.
    pressure: Pressure,
    /// Its last estimates, how many there were, how often one was taken again, and when that was.
    past: [AtomicU32; PAST],
    estimates: AtomicU32,
    repeats: AtomicU32,
    repeated: AtomicU64,
}

impl Withheld {
    /// A call begins on a worker, and is expected to take that many nanoseconds.
    pub(crate) fn begins(&self, expected: f64, now: u64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let expected = expected as u64;
        self.holds_up(now, expected.saturating_mul(3));
    }

    /// A call has ended on a worker, and took that many nanoseconds.
    pub(crate) fn ends(&self, took: u64, now: u64) {
        self.nanos.fetch_add(took, Ordering::Relaxed);
        self.holds_up(now, took.saturating_mul(2));
    }

    /// A worker with a load below two thirds works off what came meanwhile in twice that time, at most.
    fn holds_up(&self, now: u64, nanos: u64) {
        self.until.fetch_max(now.saturating_add(nanos), Ordering::Relaxed);
    }

    /// The pressure as it would be without them, estimated anew where that is due. `inline` is what all
    /// inline calls took, in nanoseconds.
    pub(super) fn pressure(
        &self,
        tokio: &Handle,
        knobs: &MabKnobs,
        inline: u64,
        now: u64,
    ) -> &Pressure {
        let is_young = self.pressure.age(now).is_some_and(|age| age < OLDEST);
        if is_young && now < self.until.load(Ordering::Relaxed) {
            self.repeat(knobs, now);
        } else if let Some(at) = self.pressure.turn(now) {
            let withheld = self.nanos.load(Ordering::Relaxed);
            let inline = Inline { nanos: inline, withheld: Some(withheld) };
            let ready = self.pressure.estimate(tokio, knobs, inline, (at, now));
            let place = self.estimates.fetch_add(1, Ordering::Relaxed) as usize % PAST;
            self.past[place].store(ready.to_bits(), Ordering::Relaxed);
        }
        &self.pressure
    }

    /// Takes one of the last estimates again, another one each time. The last one would not do: it holds
    /// for long where tasks wait because of a call, and such a call comes sooner where many tasks come.
    fn repeat(&self, knobs: &MabKnobs, now: u64) {
        let at = self.repeated.load(Ordering::Relaxed);
        let is_due = now >= at.saturating_add(HOLDS);
        let relaxed = Ordering::Relaxed;
        if is_due && self.repeated.compare_exchange(at, now, relaxed, relaxed).is_ok() {
            let known = (self.estimates.load(relaxed) as usize).clamp(1, PAST);
            let place = self.repeats.fetch_add(1, relaxed) as usize % known;
            self.pressure.repeat(knobs, f32::from_bits(self.past[place].load(relaxed)));
        }
    }
}

/// The compute threads as they would be if those calls ran there: what observed functions are judged by
/// includes the queue that the others would make.
#[derive(Debug, Default)]
pub(crate) struct WithheldQueue(Mutex<Busy>);

/// The last calls that are remembered as waiting.
const LAST: usize = 64;
/// The longest wait that is assumed, in nanoseconds: what is more than the pool could do is not queued for
/// ever.
const LONGEST: u64 = 1_000_000_000;

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
        let start = first.saturating_sub(now).clamp(way, way.max(LONGEST)).saturating_add(now);
        *first = start.saturating_add(expected);
        if starts.len() == LAST {
            starts.pop_front();
        }
        starts.push_back(start);
    }

    /// How many calls would wait now, and for how many nanoseconds one more would wait at least, if any.
    pub(crate) fn waiting(&self, now: u64) -> (usize, u64) {
        let busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = busy.starts.iter().rev().take_while(|start| **start > now).count();
        let first = busy.until.iter().min().filter(|_| calls > 0);
        (calls, first.map_or(0, |first| first.saturating_sub(now)))
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_waited_for_twice_as_long_again_as_it_took() {
        let withheld = Withheld::default();
        let until = || withheld.until.load(Ordering::Relaxed);
        withheld.begins(100.0, 1000);
        assert_eq!(until(), 1300);
        withheld.ends(500, 1500);
        assert_eq!((until(), withheld.nanos.load(Ordering::Relaxed)), (2500, 500));
    }

    #[test]
    fn whoever_comes_to_a_full_pool_waits_for_the_first_thread() {
        let queue = WithheldQueue::default();
        assert_eq!(queue.waiting(0), (0, 0));
        queue.takes(2, 100.0, 5.0, 0);
        queue.takes(2, 50.0, 5.0, 0);
        assert_eq!(queue.waiting(0), (2, 55));
        assert_eq!(queue.waiting(5), (0, 0), "both threads have begun");
        queue.takes(2, 100.0, 5.0, 10);
        // It starts when the second call ends.
        assert_eq!((queue.waiting(54), queue.waiting(55)), ((1, 51), (0, 0)));
        queue.takes(0, 100.0, 5.0, 60);
        assert_eq!(queue.waiting(60), (0, 0), "there is no pool");
    }
}
