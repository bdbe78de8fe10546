//! The settings in tables: the scheduler's knobs (`mab_knobs`) and `calibration`.

use crate::error::{LoomError, Result};
use crate::scheduler::{CalibrationConfig, MabKnobs};

use super::words::{FromRaw, Raw};
use crate::error::Source;

/// The values of all settings in tables.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tuning {
    pub(crate) knobs: MabKnobs,
    pub(crate) calibration: CalibrationConfig,
}

/// One change of these values by a source.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// One value, as it was written, for a key of [`TUNING`].
    One(&'static Key, Raw),
    Knobs(MabKnobs),
    Calibration(CalibrationConfig),
    /// Only whether there is calibration.
    Calibrate(bool),
}

/// A key of a table, with its full name.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    set: fn(&mut Tuning, &Raw) -> Option<()>,
    get: fn(&Tuning) -> String,
    expected: &'static str,
}

/// The keys of the tables.
pub(super) const TABLES: [&str; 2] = ["mab_knobs", "calibration"];

const NUMBER: &str = "a number";
const COUNT: &str = "a whole number from 0 to 1000000";
const SWITCH: &str = "`true` or `false`";

macro_rules! keys {
    ($($name:literal, $expected:expr, |$tuning:ident, $raw:ident| $place:expr, $value:expr;)*) => {
        pub(super) static TUNING: &[Key] = &[$(Key {
            name: $name,
            expected: $expected,
            set: |$tuning, $raw| {
                $place = $value?;
                Some(())
            },
            get: |$tuning| format!("{:?}", $place),
        },)*];
    };
}

keys! {
    "mab_knobs.k_starve", NUMBER, |t, raw| t.knobs.k_starve, number(raw);
    "mab_knobs.w_inflight", NUMBER, |t, raw| t.knobs.w_inflight, number(raw);
    "mab_knobs.w_spawn", NUMBER, |t, raw| t.knobs.w_spawn, number(raw);
    "mab_knobs.pressure_clip", NUMBER, |t, raw| t.knobs.pressure_clip, number(raw);
    "mab_knobs.decay", NUMBER, |t, raw| t.knobs.decay, number(raw);
    "mab_knobs.strike_decay", NUMBER, |t, raw| t.knobs.strike_decay, number(raw);
    "mab_knobs.ema_alpha", NUMBER, |t, raw| t.knobs.ema_alpha, number(raw);
    "mab_knobs.t_tiny_inline_us", NUMBER, |t, raw| t.knobs.t_tiny_inline_us, number(raw);
    "mab_knobs.t_block_hard_us", NUMBER, |t, raw| t.knobs.t_block_hard_us, number(raw);
    "mab_knobs.t_inline_under_pressure_us", NUMBER,
        |t, raw| t.knobs.t_inline_under_pressure_us, number(raw);
    "mab_knobs.p_low", NUMBER, |t, raw| t.knobs.p_low, number(raw);
    "mab_knobs.p_high", NUMBER, |t, raw| t.knobs.p_high, number(raw);
    "mab_knobs.enable_strikes", SWITCH, |t, raw| t.knobs.enable_strikes, switch(raw);
    "mab_knobs.t_strike_us", NUMBER, |t, raw| t.knobs.t_strike_us, number(raw);
    "mab_knobs.s_max", NUMBER, |t, raw| t.knobs.s_max, number(raw);
    "mab_knobs.hint_trust_threshold", NUMBER, |t, raw| t.knobs.hint_trust_threshold, number(raw);
    "mab_knobs.hint_exploration_count", COUNT,
        |t, raw| t.knobs.hint_exploration_count, count(raw);
    "mab_knobs.hint_low_ema_us", NUMBER, |t, raw| t.knobs.hint_low_ema_us, number(raw);
    "mab_knobs.hint_medium_ema_us", NUMBER, |t, raw| t.knobs.hint_medium_ema_us, number(raw);
    "mab_knobs.hint_high_ema_us", NUMBER, |t, raw| t.knobs.hint_high_ema_us, number(raw);
    "mab_knobs.measured_offload_overhead_us", NUMBER,
        |t, raw| t.knobs.measured_offload_overhead_us, number(raw).map(Some);
    "calibration.enabled", SWITCH, |t, raw| t.calibration.enabled, switch(raw);
    "calibration.warmup_iterations", COUNT,
        |t, raw| t.calibration.warmup_iterations, count(raw).map(|n| n as usize);
    "calibration.sample_count", COUNT,
        |t, raw| t.calibration.sample_count, count(raw).map(|n| n as usize);
}

impl Tuning {
    /// Applies the change of a source.
    pub(crate) fn apply(&mut self, change: &Change, source: &Source) -> Result<()> {
        match change {
            Change::One(key, raw) => {
                if (key.set)(self, raw).is_none() {
                    return Err(invalid(key.name, raw.to_string(), source, key.expected));
                }
            }
            Change::Knobs(knobs) => self.knobs = *knobs,
            Change::Calibration(calibration) => self.calibration = *calibration,
            Change::Calibrate(enabled) => self.calibration.enabled = *enabled,
        }
        self.check(source)
    }

    /// Checks that every value is allowed.
    fn check(&self, source: &Source) -> Result<()> {
        if let Some((knob, value, expected)) = self.knobs.fault() {
            let named = TUNING.iter().map(|key| key.name);
            let name = named.into_iter().find(|name| name.strip_prefix("mab_knobs.") == Some(knob));
            return Err(invalid(name.unwrap_or("mab_knobs"), value.to_string(), source, expected));
        }
        let CalibrationConfig { warmup_iterations, sample_count, .. } = self.calibration;
        for (name, value, least) in [
            ("calibration.warmup_iterations", warmup_iterations, 0),
            ("calibration.sample_count", sample_count, 1),
        ] {
            if !(least..=1_000_000).contains(&value) {
                let expected = "a whole number, at most 1000000; of samples, at least 1";
                return Err(invalid(name, value.to_string(), source, expected));
            }
        }
        Ok(())
    }
}

/// The value of a key, as it is written in a file; empty for an unknown key.
pub(super) fn value(name: &str, tuning: &Tuning) -> String {
    let key = TUNING.iter().find(|key| key.name == name);
    key.map(|key| (key.get)(tuning)).unwrap_or_default()
}

impl Change {
    /// Whether the change sets `key`.
    pub(super) fn sets(&self, key: &Key) -> bool {
        match self {
            Self::One(one, _) => one.name == key.name,
            Self::Knobs(_) => key.name.starts_with(TABLES[0]),
            Self::Calibration(_) => key.name.starts_with(TABLES[1]),
            Self::Calibrate(_) => key.name == "calibration.enabled",
        }
    }
}

fn invalid(setting: &'static str, value: String, source: &Source, expected: &str) -> LoomError {
    LoomError::InvalidSetting {
        setting,
        value,
        source_of_value: source.clone(),
        remedy: format!("expected {expected}"),
    }
}

fn number(raw: &Raw) -> Option<f64> {
    match raw {
        Raw::Float(number) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "a written float is rounded, too")]
        Raw::Integer(number) => Some(*number as f64),
        Raw::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn count(raw: &Raw) -> Option<u32> {
    let number: i128 = match raw {
        Raw::Integer(number) => *number,
        Raw::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    u32::try_from(number).ok().filter(|number| *number <= 1_000_000)
}

fn switch(raw: &Raw) -> Option<bool> {
    bool::from_raw(raw).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_can_be_set() {
        // Each value differs from the default and is within the bounds.
        for key in TUNING {
            let raw = match key.expected {
                SWITCH => Raw::Bool(!key.name.ends_with("strikes")),
                COUNT => Raw::Integer(7),
                _ => Raw::Float(0.25),
            };
            let mut tuning = Tuning::default();
            let before = format!("{tuning:?}");
            let change = Change::One(key, raw);
            tuning.apply(&change, &Source::Code).expect(key.name);
            assert_ne!(format!("{tuning:?}"), before, "{} does nothing", key.name);
        }
    }

    #[test]
    fn nonsense_is_named() {
        let refused = |name: &str, raw: Raw| {
            let key = TUNING.iter().find(|key| key.name == name).expect("there is one");
            let change = Change::One(key, raw);
            Tuning::default().apply(&change, &Source::Code).expect_err("it is refused").to_string()
        };
        let error = refused("mab_knobs.decay", Raw::Text("much".to_owned()));
        assert!(error.contains("mab_knobs.decay") && error.contains("a number"), "{error}");
        let error = refused("mab_knobs.decay", Raw::Integer(2));
        assert!(error.contains("above 0 and below 1"), "{error}");
        let error = refused("calibration.sample_count", Raw::Integer(0));
        assert!(error.contains("at least 1"), "{error}");
    }
}
