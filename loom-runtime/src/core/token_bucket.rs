//! How much CPU time compute work may use under a quota (a token bucket).
//!
//! The bucket fills at the rate that compute work may go. What drainers use is taken out. While it
//! is overdrawn, drainers sleep between two calls.

use std::time::{Duration, Instant};

/// The bucket holds what comes in within this time: a tenth of a control group's usual period.
const FULL: f64 = 0.01;
/// It is overdrawn by no more than what comes in within this time: what happened longer ago should
/// not slow calls down.
const LONGEST: f64 = 1.0;

/// What a thread has done since it was asked last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// CPU time.
    pub(crate) used: Duration,
    /// The time that passed meanwhile. What comes in within it counts in full: a long call may use
    /// it.
    pub(crate) over: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    at: Instant,
    /// Seconds of CPU time; negative where it is overdrawn.
    left: f64,
}

impl TokenBucket {
    pub(super) fn empty(at: Instant) -> Self {
        Self { at, left: 0.0 }
    }

    /// Takes out what was used, and returns how long it takes until nothing is overdrawn. Since the
    /// last call, the bucket has filled at `rate` CPUs.
    pub(super) fn spend(&mut self, spent: Spent, rate: f64, now: Instant) -> Option<Duration> {
        let elapsed = now.saturating_duration_since(self.at);
        let during = spent.over.min(elapsed);
        let before = self.left + elapsed.saturating_sub(during).as_secs_f64() * rate;
        let after = during.as_secs_f64() * rate - spent.used.as_secs_f64();
        let left = (before.min(FULL * rate) + after).clamp(-LONGEST * rate, FULL * rate);
        *self = Self { at: now, left };
        (self.left < 0.0).then(|| Duration::from_secs_f64(-self.left / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// CPU time of so many milliseconds, without a wait.
    fn ran(used: u64) -> Spent {
        Spent { used: ms(used), over: ms(used) }
    }

    #[test]
    fn who_uses_more_than_the_rate_sleeps_for_the_rest() {
        let start = Instant::now();
        let mut bucket = TokenBucket::empty(start);
        // 2 ms of CPU time in 2 ms, at half a CPU: 1 ms is overdrawn, which comes in within 2 ms.
        assert_eq!(bucket.spend(ran(2), 0.5, start + ms(2)), Some(ms(2)));
        assert_eq!(bucket.spend(ran(0), 0.5, start + ms(4)), None, "it has slept");
        // A long rest saves up no more than 10 ms at the rate.
        assert_eq!(bucket.spend(ran(10), 0.5, start + ms(5000)), None);
        assert_eq!(bucket.spend(ran(2), 0.5, start + ms(5002)), Some(ms(2)));
        // A debt of 5 s, on several threads, makes one sleep of 1 s and not many.
        assert_eq!(bucket.spend(ran(5000), 0.5, start + ms(5002)), Some(ms(1000)));
        assert_eq!(bucket.spend(ran(0), 0.5, start + ms(6002)), None);
    }

    #[test]
    fn what_comes_in_during_a_long_call_is_its_own() {
        let start = Instant::now();
        let mut bucket = TokenBucket::empty(start);
        // 50 ms at 0.8 of a CPU: 10 ms are overdrawn.
        assert_eq!(bucket.spend(ran(50), 0.8, start + ms(50)), Some(ms(12) + ms(1) / 2));
        let mut bucket = TokenBucket::empty(start);
        // The same in 100 ms is below the rate.
        let waited = Spent { used: ms(50), over: ms(100) };
        assert_eq!(bucket.spend(waited, 0.8, start + ms(100)), None);
    }

    #[test]
    fn several_threads_share_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::empty(start);
        assert_eq!(bucket.spend(ran(10), 1.5, start + ms(10)), None);
        assert_eq!(bucket.spend(ran(8), 1.5, start + ms(10)), Some(ms(2)));
        // Two at a time, each with calls of 50 ms, which end in turn every 25 ms.
        let mut bucket = TokenBucket::empty(start);
        let debts = (1..=4).map(|turn| bucket.spend(ran(50), 1.5, start + ms(25 * turn)));
        let debts: Vec<_> = debts.map(|debt| debt.unwrap_or_default().as_millis()).collect();
        assert_eq!(debts, [8, 16, 25, 33], "12.5 ms too much each time");
    }
}
