//! A decayed mean in one atomic word.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// An exponentially weighted mean of durations.
///
/// The word holds the mean in nanoseconds as an `f32` in the low half, and the number of samples,
/// saturating at `MEMORY`, in the high half: a reader never sees one without the other.
/// `Relaxed` everywhere: the word is a statistic and publishes nothing else.
#[derive(Debug, Default)]
pub(crate) struct Estimate<const MEMORY: u32> {
    word: AtomicU64,
}

impl<const MEMORY: u32> Estimate<MEMORY> {
    /// Adds a sample: with weight `1/n` for the first `MEMORY` samples, `1/MEMORY` from then on.
    ///
    /// Only whole microseconds are ever read. So a sample in the microsecond of a settled mean is not
    /// written, which spares readers on other CPUs the cache line.
    pub(crate) fn record(&self, sample: Duration) {
        let (samples, mean) = self.unpack();
        if samples == MEMORY && micros(mean) == micros(nanos(sample)) {
            return;
        }
        let samples = (samples + 1).min(MEMORY);
        #[expect(clippy::cast_precision_loss, reason = "16 million steps are plenty for a mean")]
        let mean = mean + (nanos(sample) - mean) / samples as f32;
        // Not a read-modify-write: a sample lost to another thread costs less than a contended
        // cache line.
        self.word.store(u64::from(samples) << 32 | u64::from(mean.to_bits()), Ordering::Relaxed);
    }

    /// The mean in microseconds, rounded down, and one more; `None` before the first sample.
    pub(crate) fn mean_micros(&self) -> Option<u32> {
        let (samples, mean) = self.unpack();
        (samples > 0).then_some(micros(mean))
    }

    fn unpack(&self) -> (u32, f32) {
        let word = self.word.load(Ordering::Relaxed);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
        let halves = ((word >> 32) as u32, f32::from_bits(word as u32));
        halves
    }
}

/// Rounded down, and one more. A number that is too large becomes the largest one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as it says")]
fn micros(nanos: f32) -> u32 {
    ((nanos / 1e3) as u32).saturating_add(1)
}

fn nanos(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn the_first_sample_is_the_mean() {
        let estimate = Estimate::<8>::default();
        assert_eq!(estimate.mean_micros(), None);
        estimate.record(Duration::from_nanos(40_500));
        assert_eq!(estimate.mean_micros(), Some(41));
    }

    #[test]
    fn the_mean_is_linear_in_time() {
        let estimate = Estimate::<8>::default();
        estimate.record(us(10));
        estimate.record(us(1000));
        assert_eq!(estimate.mean_micros(), Some(506), "rounded up");
    }

    #[test]
    fn the_longest_duration_does_not_break_it() {
        let estimate = Estimate::<8>::default();
        estimate.record(Duration::from_secs(u64::from(u32::MAX)));
        assert_eq!(estimate.mean_micros(), Some(u32::MAX));
    }
}
