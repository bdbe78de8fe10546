//! How long a function took lately: a histogram that forgets.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// The exponent of the first bucket, which takes all shorter run times too: two reads of a clock
/// take as long, so these cannot be distinguished.
const SHORTEST: u32 = 8;
/// Up to 2^40 ns, about 18 minutes; longer ones count in the last bucket.
const LONGEST: u32 = 40;
const BUCKETS: usize = (LONGEST - SHORTEST + 1) as usize;
/// The longest run time, in nanoseconds; its square is finite.
const MOST: f64 = 1e15;
/// A bucket of a lower weight is ignored; else one sample of an hour would count for a very long
/// time.
const FORGOTTEN: f64 = 1e-3;
/// A weight below this counts as none.
pub(super) const LITTLE: f64 = 0.1;
/// How often an update is tried while other threads update the same bucket. A lost sample costs
/// less than a wait.
const TRIES: u32 = 3;

/// Run times by powers of two; each bucket has a weight and a mean.
///
/// `Relaxed` everywhere, and buckets are read one after another: statistics, which publish
/// nothing. A bucket is one word, so its mean and its weight always belong together.
#[derive(Debug)]
pub(crate) struct Times {
    buckets: [AtomicU64; BUCKETS],
    /// Which buckets were ever used, so that a summary need not read them all.
    used: AtomicU64,
}

/// A summary of a histogram. Times in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// The weight: how many samples it stands for, where older samples count less.
    pub(crate) weight: f64,
    pub(crate) mean: f64,
    /// The mean of the squares.
    pub(crate) square: f64,
}

impl Default for Times {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], used: AtomicU64::new(0) }
    }
}

impl Times {
    pub(crate) fn record(&self, nanos: f64) {
        // A NaN would spoil every later mean.
        let nanos = if nanos.is_nan() { 0.0 } else { nanos.clamp(0.0, MOST) };
        let at = bucket(nanos);
        self.change(at, |weight, mean| {
            let weight = weight + 1.0;
            (weight, mean + (nanos - mean) / weight)
        });
        let bit = 1 << at;
        // A load first: the bit is set only once.
        if self.used.load(Ordering::Relaxed) & bit == 0 {
            self.used.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Multiplies the weights of all samples so far by a factor.
    pub(crate) fn fade(&self, factor: f64) {
        for at in self.used() {
            self.change(at, |weight, mean| (weight * factor, mean));
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        let mut sums = Summary::default();
        for (weight, mean) in self.parts() {
            sums.weight += weight;
            sums.mean += weight * mean;
            sums.square += weight * mean * mean;
        }
        if sums.weight > 0.0 {
            sums.mean /= sums.weight;
            sums.square /= sums.weight;
        }
        sums
    }

    /// The weight of all samples.
    pub(crate) fn weight(&self) -> f64 {
        self.parts().map(|(weight, _)| weight).sum()
    }

    /// The weight of samples of this time or longer.
    pub(crate) fn above(&self, nanos: f64) -> f64 {
        self.parts().filter(|(_, mean)| *mean >= nanos).map(|(weight, _)| weight).sum()
    }

    /// The approximate median: the mean of the bucket that holds it.
    pub(crate) fn median(&self) -> Option<f64> {
        let half = self.parts().map(|(weight, _)| weight).sum::<f64>() / 2.0;
        let mut below = 0.0;
        self.parts().find_map(|(weight, mean)| {
            below += weight;
            (below >= half).then_some(mean)
        })
    }

    /// The part of the recorded weight whose size differs much from `nanos`, 0 to 1.
    pub(crate) fn novelty(&self, nanos: f64) -> f64 {
        let at = bucket(nanos);
        let (mut near, mut all) = (0.0, 0.0);
        for bucket in self.used() {
            let (weight, _) = self.part(bucket);
            all += weight;
            if bucket.abs_diff(at) <= 1 {
                near += weight;
            }
        }
        if all > 0.0 { 1.0 - near / all } else { 0.0 }
    }

    /// The mean [`novelty`](Self::novelty) of the recorded samples: near 0 for a function of one
    /// size, near 1 for a function of many.
    pub(crate) fn variety(&self) -> f64 {
        let (mut apart, mut all) = (0.0, 0.0);
        for at in self.used() {
            let (weight, mean) = self.part(at);
            apart += weight * self.novelty(mean);
            all += weight;
        }
        if all > 0.0 { apart / all } else { 0.0 }
    }

    fn used(&self) -> impl Iterator<Item = usize> {
        let mut left = self.used.load(Ordering::Relaxed);
        std::iter::from_fn(move || {
            let at = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (at < u64::BITS).then_some(at as usize)
        })
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = (f64, f64)> {
        self.used().map(|at| self.part(at)).filter(|(weight, _)| *weight >= FORGOTTEN)
    }

    fn part(&self, at: usize) -> (f64, f64) {
        unpack(self.buckets[at].load(Ordering::Relaxed))
    }

    fn change(&self, at: usize, change: impl Fn(f64, f64) -> (f64, f64)) {
        let bucket = &self.buckets[at];
        let mut word = bucket.load(Ordering::Relaxed);
        for _ in 0..TRIES {
            let (weight, mean) = unpack(word);
            let (weight, mean) = change(weight, mean);
            match bucket.compare_exchange_weak(
                word,
                pack(weight, mean),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }
}

fn bucket(nanos: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and a negative number becomes 0"
    )]
    let nanos = nanos as u64;
    let exponent = nanos.max(1).ilog2().clamp(SHORTEST, LONGEST);
    (exponent - SHORTEST) as usize
}

/// Nanoseconds as a duration; zero if they are negative, too large or not a number.
pub(crate) fn duration(nanos: f64) -> Duration {
    Duration::try_from_secs_f64(nanos / 1e9).unwrap_or_default()
}

/// Packs two numbers into one word.
pub(super) fn pack(a: f64, b: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
    let [a, b] = [a as f32, b as f32];
    u64::from(a.to_bits()) << 32 | u64::from(b.to_bits())
}

pub(super) fn unpack(word: u64) -> (f64, f64) {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    let [a, b] = [(word >> 32) as u32, word as u32];
    (f32::from_bits(a).into(), f32::from_bits(b).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: impl IntoIterator<Item = f64>) -> Times {
        let times = Times::default();
        samples.into_iter().for_each(|sample| times.record(sample));
        times
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= b.abs() * 1e-5
    }

    #[test]
    fn what_is_no_time_is_none() {
        assert_eq!([duration(f64::NAN), duration(-1.0)], [Duration::ZERO; 2]);
    }

    #[test]
    fn means_are_of_times_and_not_of_their_logarithms() {
        let Summary { weight, mean, square } = of([5e3, 5e6]).summary();
        assert!(close(weight, 2.0) && close(mean, 2_502_500.0), "{weight} {mean}");
        assert!(close(square, f64::midpoint(25e6, 25e12)), "{square}");
        assert_eq!(Times::default().summary(), Summary::default());
    }

    #[test]
    fn what_is_old_counts_less() {
        let times = of([1e3; 100]);
        times.fade(0.1);
        times.record(1e6);
        let Summary { weight, mean, .. } = times.summary();
        assert!(close(weight, 11.0) && close(mean, (10.0 * 1e3 + 1e6) / 11.0), "{mean}");
    }

    #[test]
    fn tails_and_medians() {
        let times = of((0..100).map(|n| if n < 95 { 5e3 } else { 5e6 }));
        assert!(close(times.above(250e3), 5.0));
        assert!(close(times.median().expect("there are some"), 5e3));
        assert!(close(of([1.0, 1e4, 1e5]).median().expect("there are some"), 1e4));
        assert_eq!(Times::default().median(), None);
    }

    #[test]
    fn novelty_is_about_size() {
        let times = of([5e3; 50]);
        assert!(times.novelty(5.1e3) < 0.01 && times.novelty(9e3) < 0.01);
        assert!(times.novelty(1e6) > 0.99);
        assert!(Times::default().novelty(1e6) < 0.01, "without samples nothing is new");
        // Times that no clock can distinguish count as equal.
        assert!(of([20.0]).novelty(200.0) < 0.01);
    }

    #[test]
    fn any_number_has_a_bucket() {
        for nanos in [0.0, -1.0, 1e30, f64::INFINITY, f64::NAN] {
            assert!(bucket(nanos) < BUCKETS, "{nanos}");
        }
    }
}
