//! By how much the coarse clock lags behind the exact one just after it has moved on.
//!
//! A system moves it on at a tick of its own, some time after the moment that it then shows. That time is below a
//! step. It drifts as far as the clock is corrected, by tens of microseconds a second, and begins anew where it
//! leaves the step. A lag that is taken for too short makes quick readings look slow until it is learned again.
//! All times are in nanoseconds.

use crate::sync::atomic::{AtomicU64, Ordering};

/// The lag may grow by this part of the time: clocks are seldom corrected by more.
const DRIFT: u64 = 10_000;

/// The shortest lag that readings have shown, as far as it is not too old; too long before the first ones.
///
/// `Relaxed`: threads that learn at once lose what one of them has seen, and the next one sees it again.
#[derive(Debug)]
pub(super) struct Lag {
    shortest: AtomicU64,
    /// When it was last looked at.
    at: AtomicU64,
}

impl Lag {
    pub(super) const fn unknown() -> Self {
        Self { shortest: AtomicU64::new(u64::MAX), at: AtomicU64::new(0) }
    }

    /// How long ago a thread read `tick` from the coarse clock, at least as far as the lag is known, now that this
    /// clock shows `coarse` and the exact one `now`, and has moved on since. `step` is how far it moves at once.
    pub(super) fn passed(&self, tick: u64, coarse: u64, now: u64, step: u64) -> u64 {
        let seen = now.saturating_sub(coarse);
        let grown = now.saturating_sub(self.at.swap(now, Ordering::Relaxed)) / DRIFT;
        let lag = self.shortest.load(Ordering::Relaxed).saturating_add(grown).min(seen);
        self.shortest.store(lag, Ordering::Relaxed);
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
    fn quick_readings_look_quick_and_slow_ones_slow_with_any_lag() {
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

    /// A clock that is corrected by 20 millionths, either way: its lag leaves the step every 200 s.
    #[test]
    fn a_lag_that_drifts_is_followed() {
        for is_growing in [true, false] {
            let lag = Lag::unknown();
            let (mut quick, mut wrong, mut slow, mut seen) = (0, 0, 0, 0);
            // A reading every 500 µs for 600 s; one in eight is looked at.
            for n in 0..150_000_u64 {
                let begin = 10 * STEP + n * 4_000_000 + n % 16 * 250_000;
                let drifted = begin / 50_000 % STEP;
                let behind = if is_growing { drifted } else { STEP - 1 - drifted };
                if let Some(told) = told(&lag, behind, begin, 20_000) {
                    quick += 1;
                    wrong += u64::from(told >= MILLI);
                }
                if let Some(told) = told(&lag, behind, begin, 6 * MILLI) {
                    slow += 1;
                    seen += u64::from(told >= MILLI);
                }
            }
            assert!(quick > 500 && wrong * 4 < quick, "{wrong} of {quick}");
            assert!(slow > 100_000 && seen * 100 > slow * 99, "{seen} of {slow}");
        }
    }
}
