//! The knobs: thresholds and weights of decisions, and their bounds.

use super::ComputeHint;

/// Thresholds and weights of the scheduler; `scheduler/README.md` describes the model.
///
/// Times are in microseconds.
///
/// ```
/// use loom::mab::MabKnobs;
/// let knobs = MabKnobs { t_block_hard_us: 100.0, ..MabKnobs::default() };
/// let runtime = loom::LoomBuilder::new().mab_knobs(knobs).build()?;
/// assert_eq!(runtime.config().mab_knobs, knobs);
/// # Ok::<(), loom::LoomError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MabKnobs {
    /// The weight of a microsecond of the tasks behind the caller against a microsecond of the
    /// caller; 1 by default.
    pub k_starve: f64,
    /// The weight of a task that is ready to run on the caller's worker; 1 by default.
    pub w_inflight: f64,
    /// The weight of a task that is expected to become ready during the call; 1 by default.
    pub w_spawn: f64,
    /// The largest number of tasks that are assumed to be ready behind a caller; 10 by default.
    pub pressure_clip: f64,
    /// The factor by which each later measurement reduces the weight of a measurement; above 0 and
    /// below 1; 0.999 by default, which remembers about 1000 measurements.
    pub decay: f64,
    /// The factor by which each millisecond reduces the weight of a strike; at least 0 and below 1;
    /// 0.87 by default, which halves it in five milliseconds.
    pub strike_decay: f64,
    /// The weight of a new measurement in the test whether the function has changed; above 0, at
    /// most 1; 0.1 by default.
    pub ema_alpha: f64,
    /// GR0: the run time from which on a call does not run on the only I/O worker; 50 by default.
    pub t_tiny_inline_us: f64,
    /// GR1: the run time from which on a call does not run on any I/O worker; 250 by default.
    pub t_block_hard_us: f64,
    /// GR2: the limit of GR1 while the pressure is above [`p_high`](Self::p_high); 100 by default.
    pub t_inline_under_pressure_us: f64,
    /// GR0: the pressure up to which the only I/O worker counts as idle otherwise; 0.5 by default.
    pub p_low: f64,
    /// The pressure above which GR2 holds; 3 by default.
    pub p_high: f64,
    /// GR3: whether very long calls keep a function off the I/O workers for a while; true by
    /// default.
    pub enable_strikes: bool,
    /// GR3: the run time from which on an inline call is a strike; 1000 by default.
    pub t_strike_us: f64,
    /// GR3: the number of faded strikes above which a function is kept off I/O workers; 1 by
    /// default: a single strike, which a preemption may have caused, is not enough.
    pub s_max: f64,
    /// How many measurements replace a hint; 5 by default.
    pub hint_trust_threshold: f64,
    /// How many first calls of a function with the hint [`High`](ComputeHint::High), or without a
    /// hint, are offloaded regardless of measurements; 1 by default.
    pub hint_exploration_count: u32,
    /// The run time that [`Low`](ComputeHint::Low) stands for; 5 by default.
    pub hint_low_ema_us: f64,
    /// The run time that [`Medium`](ComputeHint::Medium) stands for; 200 by default.
    pub hint_medium_ema_us: f64,
    /// The run time that [`High`](ComputeHint::High) stands for; 2000 by default.
    pub hint_high_ema_us: f64,
    /// The assumed cost of the way to the compute pool and back until calls have measured it; 10 if
    /// it is `None`. Calibration measures it when the runtime starts.
    pub measured_offload_overhead_us: Option<f64>,
}

impl Default for MabKnobs {
    fn default() -> Self {
        Self {
            k_starve: 1.0,
            w_inflight: 1.0,
            w_spawn: 1.0,
            pressure_clip: 10.0,
            decay: 0.999,
            strike_decay: 0.87,
            ema_alpha: 0.1,
            t_tiny_inline_us: 50.0,
            t_block_hard_us: 250.0,
            t_inline_under_pressure_us: 100.0,
            p_low: 0.5,
            p_high: 3.0,
            enable_strikes: true,
            t_strike_us: 1000.0,
            s_max: 1.0,
            hint_trust_threshold: 5.0,
            hint_exploration_count: 1,
            hint_low_ema_us: 5.0,
            hint_medium_ema_us: 200.0,
            hint_high_ema_us: 2000.0,
            measured_offload_overhead_us: None,
        }
    }
}

impl MabKnobs {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over the overhead that calibration measured.
    pub fn apply_calibration(&mut self, result: &super::CalibrationResult) {
        self.measured_offload_overhead_us = Some(result.offload_overhead_us);
    }

    /// The assumed cost of the way to the compute pool and back until calls have measured it, in
    /// microseconds.
    #[must_use]
    pub fn offload_overhead_us(&self) -> f64 {
        self.measured_offload_overhead_us.unwrap_or(10.0)
    }

    /// Sets `k_starve`.
    #[must_use]
    pub fn with_k_starve(mut self, k_starve: f64) -> Self {
        self.k_starve = k_starve;
        self
    }

    /// Switches GR3 off.
    #[must_use]
    pub fn without_strikes(mut self) -> Self {
        self.enable_strikes = false;
        self
    }

    /// Sets the run times of GR0, GR1 and GR2, in microseconds.
    #[must_use]
    pub fn with_thresholds(mut self, tiny: f64, block_hard: f64, under_pressure: f64) -> Self {
        self.t_tiny_inline_us = tiny;
        self.t_block_hard_us = block_hard;
        self.t_inline_under_pressure_us = under_pressure;
        self
    }

    /// Sets `hint_exploration_count`.
    #[must_use]
    pub fn with_hint_exploration(mut self, count: u32) -> Self {
        self.hint_exploration_count = count;
        self
    }

    /// The run time that a hint stands for, in nanoseconds.
    pub(crate) fn prior(&self, hint: ComputeHint) -> Option<f64> {
        match hint {
            ComputeHint::Low => Some(self.hint_low_ema_us * 1e3),
            ComputeHint::Medium => Some(self.hint_medium_ema_us * 1e3),
            ComputeHint::High => Some(self.hint_high_ema_us * 1e3),
            ComputeHint::Unknown => None,
        }
    }

    /// The pressure level: the power of two of the pressure, and whether the pressure is above each
    /// of its two thresholds. Verdicts are drawn again when the level changes.
    pub(crate) fn pressure_level(&self, pressure: f64) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small number, at least 1"
        )]
        let size = ((1.0 + 2.0 * pressure.clamp(0.0, 1e6)) as u32).ilog2();
        size * 4 + u32::from(pressure > self.p_low) + 2 * u32::from(pressure > self.p_high)
    }

    /// The first knob that is out of its bounds: its name, its value, and what is expected.
    pub(crate) fn fault(&self) -> Option<(&'static str, f64, &'static str)> {
        const FRACTION: &str = "a number above 0 and below 1";
        const LIMIT: &str = "a number of microseconds, at least 0, at most 1e9";
        const WEIGHT: &str = "a number, at least 0, at most 1e6";
        let limit = |value: f64| (0.0..=1e9).contains(&value);
        let weight = |value: f64| (0.0..=1e6).contains(&value);
        let fraction = |value: f64| value > 0.0 && value < 1.0;
        [
            ("k_starve", self.k_starve, weight(self.k_starve), WEIGHT),
            ("w_inflight", self.w_inflight, weight(self.w_inflight), WEIGHT),
            ("w_spawn", self.w_spawn, weight(self.w_spawn), WEIGHT),
            ("pressure_clip", self.pressure_clip, weight(self.pressure_clip), WEIGHT),
            ("decay", self.decay, fraction(self.decay), FRACTION),
            (
                "strike_decay",
                self.strike_decay,
                (0.0..1.0).contains(&self.strike_decay),
                "a number, at least 0 and below 1",
            ),
            (
                "ema_alpha",
                self.ema_alpha,
                self.ema_alpha > 0.0 && self.ema_alpha <= 1.0,
                "a number above 0, at most 1",
            ),
            ("t_tiny_inline_us", self.t_tiny_inline_us, limit(self.t_tiny_inline_us), LIMIT),
            ("t_block_hard_us", self.t_block_hard_us, limit(self.t_block_hard_us), LIMIT),
            (
                "t_inline_under_pressure_us",
                self.t_inline_under_pressure_us,
                limit(self.t_inline_under_pressure_us),
                LIMIT,
            ),
            ("p_low", self.p_low, weight(self.p_low), WEIGHT),
            ("p_high", self.p_high, weight(self.p_high), WEIGHT),
            (
                "t_strike_us",
                self.t_strike_us,
                self.t_strike_us > 0.0 && limit(self.t_strike_us),
                "a number of microseconds above 0, at most 1e9",
            ),
            ("s_max", self.s_max, weight(self.s_max), WEIGHT),
            (
                "hint_trust_threshold",
                self.hint_trust_threshold,
                weight(self.hint_trust_threshold),
                WEIGHT,
            ),
            ("hint_low_ema_us", self.hint_low_ema_us, limit(self.hint_low_ema_us), LIMIT),
            ("hint_medium_ema_us", self.hint_medium_ema_us, limit(self.hint_medium_ema_us), LIMIT),
            ("hint_high_ema_us", self.hint_high_ema_us, limit(self.hint_high_ema_us), LIMIT),
            (
                "measured_offload_overhead_us",
                self.offload_overhead_us(),
                limit(self.offload_overhead_us()),
                LIMIT,
            ),
        ]
        .into_iter()
        .find_map(|(name, value, is_right, expected)| {
            (!is_right).then_some((name, value, expected))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_bounds() {
        assert_eq!(MabKnobs::new().fault(), None);
    }

    #[test]
    fn a_knob_out_of_bounds_is_named() {
        let wrong = |knobs: MabKnobs| knobs.fault().map(|(name, ..)| name);
        assert_eq!(wrong(MabKnobs { decay: 1.0, ..MabKnobs::new() }), Some("decay"));
        assert_eq!(wrong(MabKnobs { p_high: f64::NAN, ..MabKnobs::new() }), Some("p_high"));
        assert_eq!(wrong(MabKnobs { t_strike_us: 0.0, ..MabKnobs::new() }), Some("t_strike_us"));
        let knobs = MabKnobs { measured_offload_overhead_us: Some(-1.0), ..MabKnobs::new() };
        assert_eq!(wrong(knobs), Some("measured_offload_overhead_us"));
    }
}
