//! Medians, and their confidence intervals.

/// How often the rounds are resampled for an interval.
const RESAMPLES: usize = 10_000;

/// A small generator of Marsaglia's xorshift family. The same seed gives the same numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero is the only state that the generator never leaves.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Uniform from 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept, as many as there are")]
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("below a `usize`")
    }
}

pub(crate) fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    let n = samples.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => samples[n / 2],
        _ => f64::midpoint(samples[n / 2 - 1], samples[n / 2]),
    }
}

/// The value that `percent` percent of the sorted samples do not exceed.
pub(crate) fn percentile(sorted: &[u32], percent: f64) -> u32 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0 };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index far below 2^52"
    )]
    let rank = ((sorted.len() as f64 * percent / 100.0).ceil() as usize).clamp(1, last + 1);
    sorted[rank - 1]
}

/// A median, and the interval that contains 95 % of the medians of resampled rounds (Efron's
/// percentile bootstrap).
#[derive(Clone, Copy)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The number of rounds.
    pub(crate) rounds: usize,
}

impl Estimate {
    pub(crate) fn of(rounds: &[f64]) -> Self {
        if rounds.is_empty() {
            return Self { median: f64::NAN, low: f64::NAN, high: f64::NAN, rounds: 0 };
        }
        let mut random = Random::new(1);
        let mut drawn = vec![0.0; rounds.len()];
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                drawn.fill_with(|| rounds[random.below(rounds.len())]);
                median(&mut drawn)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        Self {
            median: median(&mut rounds.to_vec()),
            low: medians[RESAMPLES / 40],
            high: medians[RESAMPLES - 1 - RESAMPLES / 40],
            rounds: rounds.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_that_so_many_do_not_exceed() {
        let samples: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&samples, 50.0), 50);
        assert_eq!(percentile(&samples, 99.0), 99);
        assert_eq!(percentile(&samples, 100.0), 100);
        assert_eq!(percentile(&[7], 99.0), 7);
        assert_eq!(percentile(&[], 99.0), 0);
    }

    #[test]
    fn an_interval_holds_its_median_and_narrows_to_it() {
        let Estimate { median, low, high, .. } = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 100.0]);
        assert!(low <= median && median <= high && low < high, "{low} {median} {high}");
        let Estimate { median, low, high, .. } = Estimate::of(&[2.0; 10]);
        assert_eq!((low.to_bits(), high.to_bits()), (median.to_bits(), median.to_bits()));
    }
}
