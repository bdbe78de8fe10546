//! The rate at which a number grows between two reads.

use crate::sync::{Mutex, PoisonError};

/// The shortest time that a rate covers, in nanoseconds. A read that comes sooner returns the last
/// rate.
const SHORTEST: u64 = 1_000_000_000;

/// Events per second since the last read, over at least a second.
#[derive(Debug, Default)]
pub(crate) struct Rate(Mutex<LastRead>);

#[derive(Debug, Default)]
struct LastRead {
    /// The time of the last read that counted, in nanoseconds.
    at: u64,
    count: u64,
    rate: f64,
}

impl Rate {
    /// The rate, if the number is `count` at the time `now`.
    pub(crate) fn of(&self, count: u64, now: u64) -> f64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_sub(last.at);
        if passed >= SHORTEST {
            let more = count.saturating_sub(last.count);
            #[expect(clippy::cast_precision_loss, reason = "a rate is read by people")]
            let rate = more as f64 * 1e9 / passed as f64;
            *last = LastRead { at: now, count, rate };
        }
        last.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "whole numbers")]
    fn a_rate_is_of_the_time_since_it_was_asked() {
        let rate = Rate::default();
        assert_eq!(rate.of(10, SHORTEST / 2), 0.0);
        assert_eq!(rate.of(30, 2 * SHORTEST), 15.0);
        assert_eq!(rate.of(1_000, 2 * SHORTEST + 1), 15.0);
        assert_eq!(rate.of(40, 4 * SHORTEST), 5.0);
        assert_eq!(rate.of(40, 5 * SHORTEST), 0.0);
    }
}
