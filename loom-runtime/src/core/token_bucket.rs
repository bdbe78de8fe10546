//! How much CPU time compute work may use under a quota (a token bucket).
//!
//! The bucket fills at the rate that compute work may go. What drainers use is taken out. While it
//! is overdrawn, drainers sleep between two calls.

use std::time::{Duration, Instant};

/// The bucket holds what comes in within this time: a tenth of a control group's usual period.
const FULL: f64 = 0.01;
/// It is overdrawn by no more than what comes in within this time, about a period: the system does
/// not ask for the time of earlier periods either.
const LONGEST: f64 = 0.1;

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
    pub(super) fn spend(&mut self, used: Duration, rate: f64, now: Instant) -> Option<Duration> {
        let filled = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        let left = (self.left + filled).min(FULL * rate) - used.as_secs_f64();
        *self = Self { at: now, left: left.max(-LONGEST * rate) };
        (self.left < 0.0).then(|| Duration::from_secs_f64(-self.left / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_uses_more_than_the_rate_sleeps_for_the_rest() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut bucket = TokenBucket::empty(start);
        // 2 ms of CPU time in 2 ms, at half a CPU: 1 ms is overdrawn, which comes in within 2 ms.
        assert_eq!(bucket.spend(ms(2), 0.5, start + ms(2)), Some(ms(2)));
        assert_eq!(bucket.spend(ms(0), 0.5, start + ms(4)), None, "it has slept");
        // A long rest saves up no more than 10 ms at the rate.
        assert_eq!(bucket.spend(ms(4), 0.5, start + ms(5000)), None);
        assert_eq!(bucket.spend(ms(2), 0.5, start + ms(5000)), Some(ms(2)));
        // Nor does a long call make one long sleep, or many.
        assert_eq!(bucket.spend(ms(9000), 0.5, start + ms(6000)), Some(ms(100)));
        assert_eq!(bucket.spend(ms(0), 0.5, start + ms(6100)), None);
    }

    #[test]
    fn several_threads_share_the_rate() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut bucket = TokenBucket::empty(start);
        assert_eq!(bucket.spend(ms(10), 1.5, start + ms(10)), None);
        assert_eq!(bucket.spend(ms(8), 1.5, start + ms(10)), Some(ms(2)));
    }
}
