//! How fast a number grows, read now and then.

use crate::sync::{Mutex, PoisonError};

/// In nanoseconds: a read that comes sooner returns the last rate.
const LEAST: u64 = 1_000_000_000;

/// Events a second since it was last asked, over a second at least.
#[derive(Debug, Default)]
pub(crate) struct Rate(Mutex<LastRead>);

#[derive(Debug, Default)]
struct LastRead {
    /// In nanoseconds.
    at: u64,
    count: u64,
    rate: f64,
}

impl Rate {
    /// The rate, where there are so many by now.
    pub(crate) fn of(&self, count: u64, now: u64) -> f64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_sub(last.at);
        if passed >= LEAST {
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
        assert_eq!(rate.of(10, LEAST / 2), 0.0);
        assert_eq!(rate.of(30, 2 * LEAST), 15.0);
        assert_eq!(rate.of(1_000, 2 * LEAST + 1), 15.0);
        assert_eq!(rate.of(40, 4 * LEAST), 5.0);
        assert_eq!(rate.of(40, 5 * LEAST), 0.0);
    }
}
