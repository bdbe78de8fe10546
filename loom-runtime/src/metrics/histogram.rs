//! A log-linear histogram of durations.

use std::array;
use std::time::Duration;

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU64, Ordering};

const STEP_BITS: u32 = 3;
/// Each power of two is cut into this many buckets, so a value is known to 12.5 %.
const STEPS: u64 = 1 << STEP_BITS;
/// Up to 2^40 ns, about 18 minutes; longer ones count in the last bucket.
const MAX_EXPONENT: u32 = 40;
const BUCKETS: usize = ((MAX_EXPONENT - STEP_BITS + 1) as usize) << STEP_BITS;
/// How many buckets are allocated together: two powers of two.
const GROUP: usize = 2 << STEP_BITS;
const GROUPS: usize = BUCKETS.div_ceil(GROUP);

/// By how much the product of a quantile and a count may be too large; far below the step of a
/// rank.
const ROUNDING: f64 = 1e-6;

/// Counts durations by magnitude, and adds them up.
///
/// The first duration of a magnitude allocates 128 bytes: most functions use few magnitudes, and all
/// of them would take 2.4 kB.
#[derive(Debug)]
pub(crate) struct Recorder {
    groups: [OnceLock<Box<[AtomicU64; GROUP]>>; GROUPS],
    /// The sum of all durations, in nanoseconds.
    sum: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { groups: array::from_fn(|_| OnceLock::new()), sum: AtomicU64::new(0) }
    }
}

impl Recorder {
    pub(crate) fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let at = bucket(nanos);
        let group =
            self.groups[at / GROUP].get_or_init(|| Box::new(array::from_fn(|_| AtomicU64::new(0))));
        group[at % GROUP].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The counts as they are now.
    pub(crate) fn snapshot(&self) -> Histogram {
        let mut counts = vec![0; BUCKETS];
        for (counts, group) in counts.chunks_mut(GROUP).zip(&self.groups) {
            let group = group.get().into_iter().flat_map(|group| group.iter());
            counts.iter_mut().zip(group).for_each(|(count, b)| *count = b.load(Ordering::Relaxed));
        }
        Histogram { counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// Durations as counts by magnitude: run times of a function, or waits for a compute thread.
///
/// ```
/// # use std::time::Duration;
/// # fn main() -> loom::Result<()> {
/// # let runtime = loom::LoomBuilder::new().build()?;
/// let work = || std::hint::black_box((0..100_000_u64).sum::<u64>());
/// runtime.block_on(runtime.spawn_adaptive_with_hint(loom::ComputeHint::High, work));
/// let times = &runtime.functions()[0].run_times;
/// assert_eq!(times.count(), 1);
/// assert!(times.quantile(0.99) >= times.quantile(0.5));
/// assert!(times.mean() <= times.quantile(1.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    sum: u64,
}

impl Histogram {
    /// The number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations; wraps around after 584 years.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    /// The mean; `None` if there is no duration.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.count()).map(Duration::from_nanos)
    }

    /// The counts that are not zero, in order of magnitude, each with the longest duration of its
    /// bucket.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counted.map(|(at, count)| (Duration::from_nanos(upper_edge(at)), *count))
    }

    /// How many durations are in buckets that end at `limit` or below. Exact if `limit` is the edge
    /// of a bucket: a power of two of nanoseconds minus one is.
    #[cfg(any(test, feature = "prometheus"))]
    pub(crate) fn within(&self, limit: Duration) -> u64 {
        self.buckets().take_while(|(edge, _)| *edge <= limit).map(|(_, count)| count).sum()
    }

    /// Adds the counts of another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The duration that a share `q` of all durations does not exceed; `None` if there is none.
    /// `q` below 0 or above 1 counts as 0 or 1.
    ///
    /// The nearest-rank quantile, rounded up to the edge of its bucket: at most 12.5 %
    /// above the true value. Values beyond 18 minutes count as 18 minutes.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank between 1 and the count"
        )]
        let rank =
            ((q.clamp(0.0, 1.0) * count as f64 - ROUNDING).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let at = self.counts.iter().position(|n| {
            seen += n;
            seen >= rank
        })?;
        Some(Duration::from_nanos(upper_edge(at)))
    }
}

/// Values below `STEPS` have a bucket each. Above, the leading bit and the next `STEP_BITS` bits
/// determine the bucket.
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << MAX_EXPONENT) - 1);
    let exponent = nanos.max(1).ilog2();
    let bucket = if exponent < STEP_BITS {
        nanos
    } else {
        let shift = exponent - STEP_BITS;
        u64::from(shift) * STEPS + (nanos >> shift)
    };
    usize::try_from(bucket).unwrap_or(BUCKETS - 1).min(BUCKETS - 1)
}

/// The largest value that falls into a bucket.
fn upper_edge(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    (((STEPS + bucket % STEPS) + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_a_value_lies_under_its_edge() {
        let values = (0..40).flat_map(|e| [(1_u64 << e) - 1, 1 << e, (1 << e) + (1 << e) / 3]);
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        for pair in values.windows(2) {
            assert!(bucket(pair[0]) <= bucket(pair[1]), "{pair:?}");
        }
        for value in values {
            let edge = upper_edge(bucket(value));
            assert!(value <= edge && edge - value <= value / STEPS, "{value} in {edge}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_ranks() {
        let histogram = Recorder::default();
        assert_eq!(histogram.snapshot().quantile(0.5), None);
        assert_eq!(histogram.snapshot().mean(), None);
        for nanos in [1, 2, 3, 4, 5, 6, 7, 7, 7, 1000] {
            histogram.record(Duration::from_nanos(nanos));
        }
        let times = histogram.snapshot();
        assert_eq!(times.count(), 10);
        assert_eq!(times.quantile(0.5), Some(Duration::from_nanos(5)));
        assert_eq!(times.quantile(0.9), Some(Duration::from_nanos(7)));
        assert_eq!(times.quantile(1.0), Some(Duration::from_nanos(1023)));
        assert_eq!(times.quantile(-1.0), Some(Duration::from_nanos(1)));
        assert_eq!(
            (times.sum(), times.mean()),
            (Duration::from_nanos(1042), Some(Duration::from_nanos(104)))
        );
        assert_eq!(
            times.buckets().map(|(_, count)| count).collect::<Vec<_>>(),
            [1, 1, 1, 1, 1, 1, 3, 1]
        );
        assert_eq!(times.within(Duration::from_nanos(1022)), 9);
        assert_eq!(times.within(Duration::from_nanos(1023)), 10);
        let mut both = times.clone();
        both.merge(&times);
        assert_eq!(
            (both.count(), both.sum(), both.quantile(0.5)),
            (20, 2 * times.sum(), times.quantile(0.5))
        );
    }
}
