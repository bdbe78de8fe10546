//! The settings of one source, and how several sources are merged.

use std::time::Duration;

use crate::error::{LoomError, Result};
use crate::topology::{ComputePriority, GlobalRayon, Pin, Placement};

use super::functions::{self, Override};
use super::tuning::{self, Change, TABLES, TUNING, Tuning};
use super::words::TokioFlavor;
use super::words::{Bytes, Calls, Cores, FromRaw, Raw, Spares, nearest};
use crate::error::Source;

/// A value and its source.
#[derive(Clone, Debug)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) source: Source,
}

impl<T> Given<T> {
    /// Whether a source has set the value, so that it is not a default.
    pub(crate) fn is_wanted(&self) -> bool {
        self.source != Source::Default
    }
}

/// Defines the struct, its keys, and the functions that handle all keys.
macro_rules! settings {
    ($($key:ident: $kind:ty,)*) => {
        /// The settings of one source, or of several merged sources.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Settings {
            $(pub(crate) $key: Option<Given<$kind>>,)*
            /// Settings below `mab_knobs` and `calibration`, the latest last.
            pub(crate) tuning: Vec<Given<Change>>,
            /// Overrides of functions, the latest last.
            pub(crate) functions: Vec<Given<(String, Override)>>,
        }

        /// The keys at the top level, spelled as in files and in the builder.
        pub(crate) const KEYS: &[&str] = &[$(stringify!($key),)*];

        impl Settings {
            /// Sets one key to a value from a source.
            pub(crate) fn set(&mut self, key: &str, raw: &Raw, source: &Source) -> Result<()> {
                match key {
                    $(stringify!($key) => {
                        let value = <$kind>::from_raw(raw).map_err(|remedy| {
                            let setting = stringify!($key);
                            LoomError::InvalidSetting {
                                setting,
                                value: raw.to_string(),
                                source_of_value: source.clone(),
                                remedy,
                            }
                        })?;
                        self.$key = Some(Given { value, source: source.clone() });
                        Ok(())
                    })*
                    _ => self.set_below(key, raw, source),
                }
            }

            /// Takes over the values that `later` has set.
            pub(crate) fn merge(&mut self, later: Self) {
                $(if later.$key.is_some() {
                    self.$key = later.$key;
                })*
                self.tuning.extend(later.tuning);
                self.functions.extend(later.functions);
            }

            /// The source of each value, in the order of the keys.
            pub(crate) fn sources(&self) -> Vec<(&'static str, Source)> {
                vec![$((
                    stringify!($key),
                    self.$key.as_ref().map_or(Source::Default, |given| given.source.clone()),
                ),)*]
                .into_iter()
                .chain([(FUNCTIONS, self.source_of_functions())])
                .chain(self.sources_of_tuning())
                .collect()
            }

            /// Turns the settings into defaults.
            pub(crate) fn into_defaults(mut self) -> Self {
                $(if let Some(given) = &mut self.$key {
                    given.source = Source::Default;
                })*
                for given in &mut self.tuning {
                    given.source = Source::Default;
                }
                for given in &mut self.functions {
                    given.source = Source::Default;
                }
                self
            }
        }
    };
}

settings! {
    prefix: String,
    tokio_threads: usize,
    rayon_threads: usize,
    local_cores: Cores,
    cpuset: String,
    pin: Pin,
    placement: Placement,
    compute_priority: ComputePriority,
    global_rayon: GlobalRayon,
    stack_size: Bytes,
    max_spares: Spares,
    tokio_flavor: TokioFlavor,
    compute_queue: Calls,
    shutdown_timeout: Duration,
    profile: String,
}

/// The key of overrides.
pub(super) const FUNCTIONS: &str = "functions";

/// The keys of loom-rs that Loom has by another name, or needs no more.
pub(super) const LOOM_RS_KEYS: [&str; 2] = ["pin_threads", "compute_pool_size"];

impl Settings {
    /// Sets one of [`LOOM_RS_KEYS`]; `None` for another key.
    fn set_of_loom_rs(&mut self, key: &str, raw: &Raw, source: &Source) -> Option<Result<()>> {
        match key {
            "pin_threads" => Some(self.set("pin", raw, source)),
            "compute_pool_size" => {
                Some(Calls::from_raw(raw).map(drop).map_err(|remedy| LoomError::InvalidSetting {
                    setting: LOOM_RS_KEYS[1],
                    value: raw.to_string(),
                    source_of_value: source.clone(),
                    remedy,
                }))
            }
            _ => None,
        }
    }

    /// Sets all values of a table, or one value by its full key.
    fn set_below(&mut self, key: &str, raw: &Raw, source: &Source) -> Result<()> {
        if let Some(done) = self.set_of_loom_rs(key, raw, source) {
            return done;
        }
        if key == FUNCTIONS {
            return self.set_functions(raw, source);
        }
        if let Raw::Table(below) = raw
            && TABLES.contains(&key)
        {
            return below
                .iter()
                .try_for_each(|(name, raw)| self.set_below(&format!("{key}.{name}"), raw, source));
        }
        if let Some(table) = TABLES.iter().find(|table| **table == key) {
            return Err(LoomError::InvalidSetting {
                setting: table,
                value: raw.to_string(),
                source_of_value: source.clone(),
                remedy: format!("expected a table, with keys such as `{}`", first_below(table)),
            });
        }
        let Some(known) = TUNING.iter().find(|known| known.name == key) else {
            return Err(unknown(key, raw, source));
        };
        let value = Change::One(known, raw.clone());
        // Each value is checked on its own: an invalid value is an error even if a later source
        // overrides it.
        Tuning::default().apply(&value, source)?;
        self.tuning.push(Given { value, source: source.clone() });
        Ok(())
    }

    /// Adds overrides of functions.
    fn set_functions(&mut self, raw: &Raw, source: &Source) -> Result<()> {
        let all = functions::parse_all(raw).map_err(|remedy| LoomError::InvalidSetting {
            setting: FUNCTIONS,
            value: raw.to_string(),
            source_of_value: source.clone(),
            remedy,
        })?;
        let given = all.into_iter().map(|value| Given { value, source: source.clone() });
        self.functions.extend(given);
        Ok(())
    }

    /// The source of the latest override.
    fn source_of_functions(&self) -> Source {
        self.functions.last().map_or(Source::Default, |given| given.source.clone())
    }

    /// Applies the values of all sources, one after the other.
    pub(crate) fn tuning(&self) -> Result<Tuning> {
        let mut tuning = Tuning::default();
        for Given { value, source } in &self.tuning {
            tuning.apply(value, source)?;
        }
        Ok(tuning)
    }

    fn sources_of_tuning(&self) -> impl Iterator<Item = (&'static str, Source)> {
        TUNING.iter().map(|key| {
            let latest = self.tuning.iter().rev().find(|given| given.value.sets(key));
            (key.name, latest.map_or(Source::Default, |given| given.source.clone()))
        })
    }
}

/// The first key of a table.
fn first_below(table: &str) -> &'static str {
    let below = |key: &&tuning::Key| key.name.starts_with(table);
    TUNING.iter().find(below).map_or("", |key| key.name)
}

/// The full names of all keys.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().copied().chain([FUNCTIONS]).chain(TUNING.iter().map(|key| key.name))
}

/// The error for an unknown key, with the key that was probably meant.
fn unknown(key: &str, raw: &Raw, source: &Source) -> LoomError {
    let remedy = match nearest(key, keys()) {
        Some(_) | None if raw.is_table() && nearest(key, TABLES.into_iter()).is_some() => {
            format!("did you mean `{}`?", nearest(key, TABLES.into_iter()).unwrap_or_default())
        }
        _ if raw.is_table() => {
            "settings stand at the top level, but for `functions`, `mab_knobs` and `calibration`"
                .to_owned()
        }
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "the keys are {}, and those below `{}` and `{}`",
            KEYS.join(", "),
            TABLES[0],
            TABLES[1]
        ),
    };
    LoomError::UnknownSetting { key: key.to_owned(), source_of_key: source.clone(), remedy }
}
