//! How long a function takes on the pool, as a ratio to inline, where one arm is tried rarely.
//!
//! Its samples are compared with the other arm's median at that time, so a function that drifts does
//! not look faster on one arm. The mean is one of logarithms: half and twice cancel out.

use crate::sync::atomic::{AtomicU64, Ordering};

use super::times::{pack, unpack};

/// How many comparisons the mean remembers.
const MEMORY: f64 = 16.0;
/// So many comparisons without a difference are assumed beforehand.
const DOUBT: f64 = 1.0;

/// `Relaxed`, as in `times.rs`: a statistic. One word, so the mean and its weight belong together.
#[derive(Debug, Default)]
pub(super) struct Ratio(AtomicU64);

impl Ratio {
    /// Notes one comparison. A ratio beyond `most`, or below its inverse, counts as that.
    pub(super) fn note(&self, ratio: f64, most: f64) {
        let (mean, weight) = unpack(self.0.load(Ordering::Relaxed));
        let weight = (weight + 1.0).min(MEMORY);
        let mean = mean + (ratio.clamp(1.0 / most, most).ln() - mean) / weight;
        self.0.store(pack(mean, weight), Ordering::Relaxed);
    }

    /// The ratio as far as it is known; 1 without a comparison.
    pub(super) fn mean(&self) -> f64 {
        let (mean, weight) = unpack(self.0.load(Ordering::Relaxed));
        (mean * weight / (weight + DOUBT)).exp()
    }

    pub(super) fn forget(&self) {
        self.0.store(pack(0.0, 0.0), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Ratio;

    #[test]
    fn it_is_believed_as_it_is_seen_again() {
        let ratio = Ratio::default();
        assert!((ratio.mean() - 1.0).abs() < 1e-6);
        ratio.note(0.25, 4.0);
        assert!((0.45..0.55).contains(&ratio.mean()), "{}", ratio.mean());
        (0..20).for_each(|_| ratio.note(0.01, 4.0));
        assert!((0.25..0.3).contains(&ratio.mean()), "{}", ratio.mean());
        (0..40).for_each(|_| ratio.note(1.0, 4.0));
        assert!((0.85..=1.0).contains(&ratio.mean()), "{}", ratio.mean());
        ratio.forget();
        assert!((ratio.mean() - 1.0).abs() < 1e-6);
    }
}
