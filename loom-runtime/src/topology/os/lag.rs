//! By how much the coarse clock lags behind the exact one just after it has moved on.
//!
//! A system moves it on at a tick of its own, some time after the moment that it then shows. That time is below a
//! step, and changes slowly if at all. All times are in nanoseconds.

use crate::sync::atomic::{AtomicU64, Ordering};

/// How much longer than the shortest lag so far the next one may be: the two clocks drift apart.
const DRIFT: u64 = 1000;

/// The lag, as learned from readings; too long before the first ones.
///
/// `Relaxed`: threads that learn at once lose what one of them has seen, and the next one sees it again.
#[derive(Debug)]
pub(super) struct Lag(AtomicU64);

impl Lag {
    pub(super) const fn unknown() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }

    /// How long ago a thread read `tick` from the coarse clock, at least, now that this clock shows `coarse` and the
    /// exact one `now`, and has moved on since. `step` is how far it moves at once.
    pub(super) fn passed(&self, tick: u64, coarse: u64, now: u64, step: u64) -> u64 {
        let seen = now.saturating_sub(coarse);
        let lag = self.0.load(Ordering::Relaxed).saturating_add(DRIFT).min(seen);
        self.0.store(lag, Ordering::Relaxed);
        // It showed `tick` for a step, from `lag` after that moment on.
        now.saturating_sub(tick).saturating_sub(step).saturating_sub(lag)
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    const STEP: u64 = 4_000_000;
    const MILLI: u64 = 1_000_000;

    /// What is told of a thread that reads a clock with this lag, and reads it again after `took`; `None` if the
    /// clock has not moved on.
    fn told(lag: &Lag, behind: u64, begin: u64, took: u64) -> Option<u64> {
        let shown = |now: u64| (now - behind) / STEP * STEP;
        let (tick, coarse) = (shown(begin), shown(begin + took));
        (tick != coarse).then(|| lag.passed(tick, coarse, begin + took, STEP))
    }

    #[test]
    fn quick_readings_look_quick_and_slow_ones_slow_whatever_the_lag() {
        for behind in [0, 300_000, 1_600_000, 3_900_000] {
            let lag = Lag::unknown();
            // Times of day that meet each part of a step.
            let begins = (1..20_000).map(|n| 10 * STEP + n * 37_003);
            let mut seen = [0; 4];
            for (n, begin) in begins.enumerate() {
                if let Some(quick) = told(&lag, behind, begin, 20_000) {
                    seen[0] += 1;
                    assert!(quick <= 20_000, "{quick} ns of 20 µs, with a lag of {behind}");
                }
                // Of slow ones it tells no more than they took, and of most of a step or longer enough.
                for (kind, took) in [(1, 2 * MILLI), (2, 6 * MILLI), (3, 30 * MILLI)] {
                    let Some(slow) = told(&lag, behind, begin, took) else { continue };
                    assert!(slow <= took, "{slow} of {took}, with a lag of {behind}");
                    if n > 1000 && slow >= MILLI {
                        seen[kind] += 1;
                    }
                }
            }
            assert!(seen[0] > 50, "{seen:?}");
            // 2 ms look slow where they begin late in a step, which is a quarter of the time.
            assert!((4000..5500).contains(&seen[1]), "{seen:?}");
            assert!(seen[2..].iter().all(|seen| *seen > 18_900), "{seen:?}");
        }
    }

    #[test]
    fn a_lag_that_grows_is_learned() {
        let lag = Lag::unknown();
        let quick = |behind, n: u64| {
            (0..n).filter_map(|n| told(&lag, behind, 10 * STEP + n * 4001, 20_000)).max()
        };
        quick(0, 10_000);
        quick(500_000, 200_000);
        assert!(quick(500_000, 10_000).is_some_and(|told| told <= 20_000));
    }
}
