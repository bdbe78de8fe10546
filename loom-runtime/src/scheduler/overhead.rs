//! The cost of the way to the compute pool and back, without the work itself.

use crate::sync::atomic::{AtomicU64, Ordering};

use super::times::{pack, unpack};

/// How many samples the mean remembers.
const MEMORY: f64 = 32.0;
/// The most that one sample counts, in nanoseconds. Two wake-ups alone take no longer. A longer
/// sample was waiting for a CPU, and must not make inline look cheap on a machine whose I/O workers
/// are busy.
const LONGEST: f64 = 50e3;
/// The least that one sample counts, in nanoseconds. No way to another thread and back is shorter.
pub(super) const SHORTEST: f64 = 250.0;
/// The standard deviation of a guess that was never measured, as a part of the guess.
const DOUBT: f64 = 0.5;

/// A mean and its uncertainty: the standard deviation of the mean, not of the samples. In
/// nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Belief {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

/// Samples of the overhead: an exponentially weighted mean and mean of squares.
///
/// `Relaxed` everywhere, as in `times.rs`; the words may be of different samples.
#[derive(Debug, Default)]
pub(crate) struct Overhead {
    mean_and_square: AtomicU64,
    /// The number of samples so far.
    samples: AtomicU64,
    /// The time of the last sample, in nanoseconds.
    last: AtomicU64,
}

impl Overhead {
    pub(crate) fn record(&self, nanos: f64, now: u64) {
        let nanos = nanos.clamp(SHORTEST, LONGEST);
        let samples = self.samples.fetch_add(1, Ordering::Relaxed) + 1;
        #[expect(clippy::cast_precision_loss, reason = "at most the memory counts")]
        let weight = 1.0 / (samples as f64).min(MEMORY);
        // Not a read-modify-write: losing a sample to another thread costs little.
        let (mean, square) = unpack(self.mean_and_square.load(Ordering::Relaxed));
        let mean = mean + (nanos - mean) * weight;
        let square = square + (nanos * nanos - square) * weight;
        self.mean_and_square.store(pack(mean, square), Ordering::Relaxed);
        self.last.store(now, Ordering::Relaxed);
    }

    /// The overhead and its uncertainty; before the first sample, `prior` and half of it.
    pub(crate) fn belief(&self, prior: f64) -> Belief {
        let samples = self.samples();
        if samples == 0 {
            return Belief { mean: prior, deviation: prior * DOUBT };
        }
        let (mean, square) = unpack(self.mean_and_square.load(Ordering::Relaxed));
        #[expect(clippy::cast_precision_loss, reason = "at most the memory counts")]
        let samples = (samples as f64).min(MEMORY);
        // One or two samples show little of their spread.
        let variance = (square - mean * mean).max((mean * DOUBT).powi(2) / samples);
        Belief { mean, deviation: (variance / samples).sqrt() }
    }

    pub(crate) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Time since the last sample; `None` before the first.
    pub(crate) fn age(&self, now: u64) -> Option<u64> {
        (self.samples() > 0).then(|| now.saturating_sub(self.last.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_shrinks_with_samples_and_grows_with_their_spread() {
        let steady = Overhead::default();
        let first = steady.belief(10e3);
        assert_eq!(first, Belief { mean: 10e3, deviation: 5e3 });
        for now in 0..100 {
            steady.record(8e3, now);
        }
        let belief = steady.belief(10e3);
        assert!((belief.mean - 8e3).abs() < 1.0 && belief.deviation < 200.0, "{belief:?}");
        let wild = Overhead::default();
        for now in 0..100 {
            wild.record(if now % 2 == 0 { 1e3 } else { 15e3 }, now);
        }
        assert!(wild.belief(10e3).deviation > 500.0);
        assert_eq!(wild.age(199), Some(100));
        assert_eq!(Overhead::default().age(5), None);
    }

    #[test]
    fn waiting_for_a_cpu_counts_as_fifty_microseconds_at_most() {
        let overhead = Overhead::default();
        overhead.record(5e9, 0);
        assert!((overhead.belief(1.0).mean - 50e3).abs() < 1.0);
    }
}
