//! Measures the round trip to the compute pool before the first call needs it.

/// Whether and how the overhead of the compute pool is measured when a runtime starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalibrationConfig {
    /// Whether it is; false at first, since it takes some milliseconds.
    pub enabled: bool,
    /// How many calls are made before those that count; 100 at first.
    pub warmup_iterations: usize,
    /// How many calls count; 1000 at first.
    pub sample_count: usize,
}

impl Default for CalibrationConfig {
    fn default() -> Self {
        Self { enabled: false, warmup_iterations: 100, sample_count: 1000 }
    }
}

impl CalibrationConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Switches it on.
    #[must_use]
    pub fn enabled(mut self) -> Self {
        self.enabled = true;
        self
    }

    /// Sets how many calls are made before those that count.
    #[must_use]
    pub fn warmup_iterations(mut self, count: usize) -> Self {
        self.warmup_iterations = count;
        self
    }

    /// Sets how many calls count.
    #[must_use]
    pub fn sample_count(mut self, count: usize) -> Self {
        self.sample_count = count;
        self
    }
}

/// What calibration measured: round trips of calls that do nothing, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationResult {
    /// What a round trip is taken to cost: the median.
    pub offload_overhead_us: f64,
    /// The median.
    pub p50_us: f64,
    /// The 99th percentile.
    pub p99_us: f64,
}

impl CalibrationResult {
    /// Of round trips in microseconds; nothing of none.
    pub(crate) fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let last = samples.len().checked_sub(1)?;
        let (p50, p99) = (samples[last / 2], samples[last - last / 100]);
        Some(Self { offload_overhead_us: p50, p50_us: p50, p99_us: p99 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_of_ranks() {
        assert_eq!(CalibrationResult::of(Vec::new()), None);
        let samples = (0..=100_u32).rev().map(f64::from).collect();
        let expected = CalibrationResult { offload_overhead_us: 50.0, p50_us: 50.0, p99_us: 99.0 };
        assert_eq!(CalibrationResult::of(samples), Some(expected));
    }
}
