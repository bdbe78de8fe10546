//! The settings of one source, and how several sources are merged.

use std::time::Duration;

use crate::error::{LoomError, Result};
use crate::topology::{ComputePriority, GlobalRayon, Pin, Placement};

#[cfg(feature = "fleet")]
use super::fleet::{self, FleetSettings};
use super::functions::{self, Override};
use super::tuning::{Change, TABLES, TUNING, Tuning};
use super::words::TokioFlavor;
use super::words::{Bytes, Calls, Cores, FromRaw, Limit, Raw, Spares, nearest};
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
            /// What is said of the fleet, the latest last.
            #[cfg(feature = "fleet")]
            pub(crate) fleet: Vec<Given<FleetSettings>>,
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
                #[cfg(feature = "fleet")]
                self.fleet.extend(later.fleet);
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
                .chain(self.sources_of_fleet())
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
                #[cfg(feature = "fleet")]
                for given in &mut self.fleet {
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
    slow_poll: Limit,
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
        #[cfg(feature = "fleet")]
        if let Some(key) = fleet::KEYS.iter().find(|known| known.name == key) {
            return self.set_fleet(key, raw, source);
        }
        if let Raw::Table(below) = raw
            && tables().any(|table| table == key)
        {
            return below
                .iter()
                .try_for_each(|(name, raw)| self.set_below(&format!("{key}.{name}"), raw, source));
        }
        if let Some(table) = tables().find(|table| *table == key) {
            return Err(LoomError::InvalidSetting {
                setting: table,
                // A text may be an address, with its password.
                value: if let Raw::Text(_) = raw { "a text".to_owned() } else { raw.to_string() },
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

    /// Adds one value of the fleet's table.
    #[cfg(feature = "fleet")]
    fn set_fleet(&mut self, key: &'static fleet::Key, raw: &Raw, source: &Source) -> Result<()> {
        let value = FleetSettings::of(key, raw).map_err(|remedy| LoomError::InvalidSetting {
            setting: key.name,
            value: raw.to_string(),
            source_of_value: source.clone(),
            remedy,
        })?;
        self.fleet.push(Given { value, source: source.clone() });
        Ok(())
    }

    /// A program that joins no fleet has no use for what is said of one.
    #[cfg(feature = "fleet")]
    pub(crate) fn check_fleet(&self, joins: bool) -> Result<()> {
        let first = self.fleet.iter().find_map(|given| {
            let key = fleet::KEYS.iter().find(|key| given.value.has(key))?;
            Some((key.name, given))
        });
        match first {
            Some((setting, Given { value, source })) if !joins => Err(LoomError::InvalidSetting {
                setting,
                value: fleet::value(setting, value),
                source_of_value: source.clone(),
                remedy: "this program joins no fleet, so leave it out, or pass a fleet to \
                         `LoomBuilder::fleet`"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// What all sources say of the fleet.
    #[cfg(feature = "fleet")]
    pub(crate) fn fleet(&self) -> FleetSettings {
        let mut fleet = FleetSettings::default();
        for Given { value, .. } in &self.fleet {
            fleet.merge(value);
        }
        fleet
    }

    #[cfg(feature = "fleet")]
    fn sources_of_fleet(&self) -> impl Iterator<Item = (&'static str, Source)> {
        fleet::KEYS.iter().map(|key| {
            let latest = self.fleet.iter().rev().find(|given| given.value.has(key));
            (key.name, latest.map_or(Source::Default, |given| given.source.clone()))
        })
    }

    #[cfg(not(feature = "fleet"))]
    #[expect(clippy::unused_self, reason = "the form with the feature uses it")]
    fn sources_of_fleet(&self) -> impl Iterator<Item = (&'static str, Source)> {
        std::iter::empty()
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
    keys_below().find(|key| key.starts_with(table)).unwrap_or_default()
}

fn tables() -> impl Iterator<Item = &'static str> {
    #[cfg(feature = "fleet")]
    let fleet = [fleet::TABLE];
    #[cfg(not(feature = "fleet"))]
    let fleet = [];
    TABLES.into_iter().chain(fleet)
}

/// The full names of the keys in tables.
fn keys_below() -> impl Iterator<Item = &'static str> {
    #[cfg(feature = "fleet")]
    let fleet = fleet::KEYS.iter().map(|key| key.name);
    #[cfg(not(feature = "fleet"))]
    let fleet = std::iter::empty();
    TUNING.iter().map(|key| key.name).chain(fleet)
}

/// The full names of all keys.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().copied().chain([FUNCTIONS]).chain(keys_below())
}

/// The error for an unknown key, with the key that was probably meant.
fn unknown(key: &str, raw: &Raw, source: &Source) -> LoomError {
    let remedy = match nearest(key, keys()) {
        Some(_) | None if raw.is_table() && nearest(key, tables()).is_some() => {
            format!("did you mean `{}`?", nearest(key, tables()).unwrap_or_default())
        }
        _ if raw.is_table() => {
            format!(
                "settings stand at the top level, but for `functions` and the tables {}",
                listed(tables())
            )
        }
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys are {}, and those below {}", KEYS.join(", "), listed(tables())),
    };
    LoomError::UnknownSetting { key: key.to_owned(), source_of_key: source.clone(), remedy }
}

/// Names in a sentence.
fn listed(names: impl Iterator<Item = &'static str>) -> String {
    let mut names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} and {last}", names.join(", ")),
        last => last.unwrap_or_default(),
    }
}
