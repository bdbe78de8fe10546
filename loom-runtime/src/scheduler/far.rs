//! What calls of a function cost on other processes, and when one of them costs less than the pool.
//!
//! A far call takes its run time, the *way* (serialisation and the network, both directions), and the *wait* for
//! the far process. The far process reports run time and wait; the rest of what the caller saw is the way.

use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The part of a new sample in the mean.
const NEW: f64 = 0.125;
/// The way before it was measured, in nanoseconds: a small message over a network, and some time for its codec.
const WAY: f64 = 2e6;
/// A wait that was seen halves in this time, in nanoseconds: nothing else shows that the others have caught up.
const WAIT_HALVES: f64 = 250e6;
/// As long as nothing is known of the function there, so many calls go there at a time.
const TRIED_AT_ONCE: u32 = 4;
/// What was measured so many nanoseconds ago tells nothing any more: a single bad sample must not keep calls away
/// for ever.
const FORGOTTEN: u64 = 5_000_000_000;

/// How long one far call took, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FarTimes {
    /// From the decision to the result.
    pub(crate) all: f64,
    pub(crate) ran: f64,
    pub(crate) waited: f64,
}

/// What is known of a function's far calls. Times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FarBelief {
    pub(crate) way: f64,
    pub(crate) wait: f64,
    /// `None` before the first answer: it takes as long as here.
    pub(crate) ran: Option<f64>,
}

impl FarBelief {
    /// What is assumed before the first answer.
    pub(crate) fn assumed() -> Self {
        Self { way: WAY, wait: 0.0, ran: None }
    }

    /// What a call would cost whose run takes so long on the pool.
    pub(crate) fn cost(&self, run_time: f64) -> f64 {
        self.way + self.wait + self.ran.unwrap_or(run_time)
    }
}

/// The measurements of one function's far calls.
///
/// `Relaxed` everywhere: statistics, which publish nothing. A sample may be lost to another thread's.
#[derive(Debug, Default)]
pub(crate) struct FarRecord {
    way: AtomicU64,
    wait: AtomicU64,
    ran: AtomicU64,
    /// When a wait was last reported.
    waited_at: AtomicU64,
    samples: AtomicU64,
    under_way: AtomicU32,
    /// Whether any of its calls may go there at all.
    is_marked: AtomicBool,
    /// Until then no call goes there.
    closed_until: AtomicU64,
}

impl FarRecord {
    /// Whether calls may go there.
    pub(crate) fn is_open(&self, now: u64) -> bool {
        now >= self.closed_until.load(Ordering::Relaxed)
    }

    /// For how many nanoseconds no call goes there.
    pub(crate) fn closed_for(&self, now: u64) -> u64 {
        self.closed_until.load(Ordering::Relaxed).saturating_sub(now)
    }

    /// What is known; `None` while no call should go there.
    pub(crate) fn known(&self, now: u64) -> Option<FarBelief> {
        if !self.is_open(now) {
            return None;
        }
        let age = now.saturating_sub(self.waited_at.load(Ordering::Relaxed));
        if self.samples.load(Ordering::Relaxed) == 0 || age > FORGOTTEN {
            let is_open = self.under_way.load(Ordering::Relaxed) < TRIED_AT_ONCE;
            return is_open.then(FarBelief::assumed);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "an age of months is not told from one of years"
        )]
        let halved = (-(age as f64) / WAIT_HALVES).exp2();
        let [way, wait, ran] = [&self.way, &self.wait, &self.ran].map(load);
        Some(FarBelief { way, wait: wait * halved, ran: Some(ran) })
    }

    /// The function is one whose calls may go there.
    pub(crate) fn marks(&self) {
        // A load first: the cache line is shared.
        if !self.is_marked() {
            self.is_marked.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.is_marked.load(Ordering::Relaxed)
    }

    /// A call begins its way.
    pub(crate) fn begins(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// It has ended, however it did.
    pub(crate) fn ends(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn under_way(&self) -> u32 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// A call was answered.
    pub(crate) fn answered(&self, FarTimes { all, ran, waited }: FarTimes, now: u64) {
        // A far clock may be wrong.
        let ran = ran.min(all);
        let waited = waited.min(all - ran);
        let age = now.saturating_sub(self.waited_at.load(Ordering::Relaxed));
        let is_first = self.samples.fetch_add(1, Ordering::Relaxed) == 0 || age > FORGOTTEN;
        let way = all - ran - waited;
        for (word, sample) in [(&self.way, way), (&self.wait, waited), (&self.ran, ran)] {
            let mean = load(word);
            let mean = if is_first { sample } else { mean + NEW * (sample - mean) };
            word.store(mean.to_bits(), Ordering::Relaxed);
        }
        self.waited_at.store(now, Ordering::Relaxed);
    }

    /// No call goes there for so long.
    pub(crate) fn closes(&self, nanos: u64, now: u64) {
        self.closed_until.fetch_max(now.saturating_add(nanos), Ordering::Relaxed);
    }
}

fn load(word: &AtomicU64) -> f64 {
    f64::from_bits(word.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: f64 = 1e6;

    fn answered(record: &FarRecord, all: f64, ran: f64, waited: f64, now: u64) {
        record.answered(FarTimes { all: all * MS, ran: ran * MS, waited: waited * MS }, now);
    }

    #[test]
    fn the_way_is_what_the_caller_saw_without_run_and_wait() {
        let record = FarRecord::default();
        answered(&record, 7.5, 4.0, 3.0, 0);
        let known = record.known(0).expect("open");
        assert_eq!(known, FarBelief { way: 0.5 * MS, wait: 3.0 * MS, ran: Some(4.0 * MS) });
        assert!((known.cost(99.0 * MS) - 7.5 * MS).abs() < 1.0);
        for _ in 0..100 {
            answered(&record, 5.0, 4.0, 0.0, 0);
        }
        let known = record.known(0).expect("open");
        assert!((known.way - MS).abs() < 0.01 * MS && known.wait < 0.01 * MS, "{known:?}");
    }

    #[test]
    fn a_wait_fades_and_a_way_does_not() {
        let record = FarRecord::default();
        answered(&record, 16.0, 4.0, 8.0, 1_000_000_000);
        let later = record.known(1_500_000_000).expect("open");
        assert!((later.wait - 2.0 * MS).abs() < 1.0 && (later.way - 4.0 * MS).abs() < 1.0);
    }

    #[test]
    fn what_is_old_is_tried_again() {
        let record = FarRecord::default();
        answered(&record, 400.0, 1.0, 0.0, 0);
        assert!(record.known(FORGOTTEN).expect("open").way > 300.0 * MS);
        let known = record.known(FORGOTTEN + 1).expect("open");
        assert_eq!(known, FarBelief { way: WAY, wait: 0.0, ran: None });
        // What is found then counts alone.
        answered(&record, 2.0, 1.0, 0.0, FORGOTTEN + 1);
        assert_eq!(
            record.known(FORGOTTEN + 1),
            Some(FarBelief { way: MS, wait: 0.0, ran: Some(MS) })
        );
    }

    #[test]
    fn a_far_clock_that_is_wrong_says_at_most_what_the_caller_saw() {
        let record = FarRecord::default();
        answered(&record, 2.0, 1e12, 1e12, 0);
        let known = record.known(0).expect("open");
        assert_eq!(known, FarBelief { way: 0.0, wait: 0.0, ran: Some(2.0 * MS) });
    }

    #[test]
    fn an_unknown_function_is_tried_by_a_few_calls() {
        let record = FarRecord::default();
        let known = record.known(0).expect("open");
        assert!((known.cost(3.0 * MS) - (WAY + 3.0 * MS)).abs() < 1.0);
        (0..TRIED_AT_ONCE).for_each(|_| record.begins());
        assert_eq!(record.known(0), None);
        answered(&record, 3.0, 1.0, 0.0, 0);
        assert!(record.known(0).is_some(), "it is known");
        (0..TRIED_AT_ONCE).for_each(|_| record.ends());
        assert_eq!(record.under_way(), 0);
    }

    #[test]
    fn a_refusal_closes_the_way_for_a_while() {
        let record = FarRecord::default();
        record.closes(100, 50);
        record.closes(10, 60);
        assert_eq!(record.known(149), None, "the longer one counts");
        assert!(record.known(150).is_some());
    }
}
