//! Settings and result of calibration, which measures the round trip to the compute pool when a
//! runtime starts.

/// Whether and how the overhead of the compute pool is measured when a runtime starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalibrationConfig {
    /// Whether the overhead is measured; default false, since that takes some milliseconds.
    pub enabled: bool,
    /// How many calls are made before the calls that count; default 100.
    pub warmup_iterations: usize,
    /// How many calls count; default 1000.
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

    /// Switches calibration on.
    #[must_use]
    pub fn enabled(mut self) -> Self {
        self.enabled = true;
        self
    }

    /// Sets how many calls are made before the calls that count.
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

/// The result of calibration: round trips of empty calls, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationResult {
    /// The assumed cost of a round trip: the median.
    pub offload_overhead_us: f64,
    /// The median of the round trips.
    pub p50_us: f64,
    /// The 99th percentile of the round trips.
    pub p99_us: f64,
}

impl CalibrationResult {
    /// The result for round trips in microseconds; `None` without samples.
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
