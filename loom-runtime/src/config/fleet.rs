//! The settings of a fleet: the table `fleet`.
//!
//! Loom reads and merges them as all settings; a [`Membership`](crate::fleet::Membership) gives those of code, and
//! uses the result.

use std::convert::Infallible;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{LoomError, Result, Source};

use super::words::{FromRaw, Raw, one_of};

/// The name of the table.
pub(super) const TABLE: &str = "fleet";

const CALLS: RangeInclusive<usize> = 1..=65536;
const TIMES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(86_400);
const CALLS_EXPECTED: &str =
    "expected a whole number from 1 to 65536, or leave it out for twice the compute threads";

/// What part a process has in its fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetRole {
    /// Its calls may run elsewhere.
    #[default]
    Caller,
    /// Its calls may run elsewhere, and it runs calls of others.
    Worker,
    /// It runs calls of others.
    OnlyWorker,
}

impl fmt::Display for FleetRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "caller",
            Self::Worker => "worker",
            Self::OnlyWorker => "only_worker",
        })
    }
}

/// What is said of a fleet; `None` where nothing is.
///
/// The keys of files are in the table `fleet`. With the prefix `SHOP`, the variables are `SHOP_FLEET_URL` and so on,
/// and the arguments `--loom-fleet-url` and so on. All of them overrule what the program says.
///
/// ```
/// # use std::time::Duration;
/// let mut settings = loom::fleet::FleetSettings::default();
/// settings.url = Some("nats://shop:secret@broker:4222".to_owned());
/// settings.time_limit = Some(Duration::from_secs(5));
/// assert_eq!(settings.shown_url().as_deref(), Some("nats://broker:4222"));
/// assert!(!format!("{settings:?}").contains("secret"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetSettings {
    /// `url`: where the fleet is. It may contain a password, which is shown nowhere.
    pub url: Option<String>,
    /// `credentials`: a file that proves who this process is.
    pub credentials: Option<String>,
    /// `name`: the fleet's name, of letters, digits, `-` and `_`. Fleets with different names do not see each other.
    pub name: Option<String>,
    /// `role`: `caller`, `worker` or `only_worker`.
    pub role: Option<FleetRole>,
    /// `preferred`: whether calls that would go to the compute pool go to the fleet wherever it takes them.
    pub preferred: Option<bool>,
    /// `most_calls`: how many calls of others a worker has at a time, 1 to 65536.
    pub most_calls: Option<usize>,
    /// `time_limit`: how long a far call may take, such as `30s`; 10 ms to 24 h.
    pub time_limit: Option<Duration>,
    /// `lost_after`: how long a worker that has a call may be silent, such as `1s`; 10 ms to 24 h.
    pub lost_after: Option<Duration>,
}

/// A key of the table, with its full name.
pub(super) struct Key {
    pub(super) name: &'static str,
    set: fn(&mut FleetSettings, &Raw) -> Result<(), String>,
    /// The value as it may be shown.
    get: fn(&FleetSettings) -> Option<String>,
}

macro_rules! keys {
    ($($name:literal $field:ident, |$value:ident| $shown:expr;)*) => {
        pub(super) static KEYS: &[Key] = &[$(Key {
            name: $name,
            set: |settings, raw| {
                settings.$field = Some(FromRaw::from_raw(raw)?);
                Ok(())
            },
            get: |settings| settings.$field.as_ref().map(|$value| $shown),
        },)*];

        impl FleetSettings {
            /// Takes over what `later` says.
            pub(crate) fn merge(&mut self, later: &Self) {
                $(if later.$field.is_some() {
                    self.$field.clone_from(&later.$field);
                })*
            }
        }
    };
}

keys! {
    "fleet.url" url, |url| format!("{:?}", shown(url));
    "fleet.credentials" credentials, |file| format!("{file:?}");
    "fleet.name" name, |name| format!("{name:?}");
    "fleet.role" role, |role| role.to_string();
    "fleet.preferred" preferred, |preferred| preferred.to_string();
    "fleet.most_calls" most_calls, |calls| calls.to_string();
    "fleet.time_limit" time_limit, |time| humantime::format_duration(*time).to_string();
    "fleet.lost_after" lost_after, |time| humantime::format_duration(*time).to_string();
}

impl FleetSettings {
    /// The address without users and passwords.
    #[must_use]
    pub fn shown_url(&self) -> Option<String> {
        self.url.as_deref().map(shown)
    }

    /// What one key of a source says.
    pub(super) fn of(key: &Key, raw: &Raw) -> Result<Self, String> {
        let mut settings = Self::default();
        (key.set)(&mut settings, raw).map_err(|remedy| match key.name {
            "fleet.most_calls" => CALLS_EXPECTED.to_owned(),
            _ => remedy,
        })?;
        Ok(settings)
    }

    /// Whether a key has a value.
    pub(super) fn has(&self, key: &Key) -> bool {
        (key.get)(self).is_some()
    }

    /// Checks that the values are allowed.
    pub(super) fn check(&self, source: &Source) -> Result<()> {
        for key in KEYS {
            let Some(value) = (key.get)(self) else { continue };
            if let Some(remedy) = self.fault(key.name) {
                return Err(LoomError::InvalidSetting {
                    setting: key.name,
                    value,
                    source_of_value: source.clone(),
                    remedy: remedy.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// What a value should be that is not allowed.
    fn fault(&self, key: &str) -> Option<&'static str> {
        let is_empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_no_name =
            |name: &String| name.is_empty() || name.len() > 64 || !name.chars().all(is_plain);
        let is_off = |time: Option<Duration>| time.is_some_and(|time| !TIMES.contains(&time));
        match key {
            "fleet.url" if is_empty(&self.url) => {
                Some("expected an address such as `nats://host:4222`, or leave it out")
            }
            "fleet.credentials" if is_empty(&self.credentials) => {
                Some("expected the name of a file, or leave it out")
            }
            "fleet.name" if self.name.as_ref().is_some_and(is_no_name) => {
                Some("expected at most 64 letters, digits, `-` and `_`, such as `shop`")
            }
            "fleet.most_calls" if self.most_calls.is_some_and(|calls| !CALLS.contains(&calls)) => {
                Some(CALLS_EXPECTED)
            }
            "fleet.time_limit" if is_off(self.time_limit) => Some("expected `10ms` to `24h`"),
            "fleet.lost_after" if is_off(self.lost_after) => Some("expected `10ms` to `24h`"),
            _ => None,
        }
    }
}

/// A key's value as it may be shown; `none` without one.
pub(super) fn value(name: &str, settings: &FleetSettings) -> String {
    let key = KEYS.iter().find(|key| key.name == name);
    key.and_then(|key| (key.get)(settings)).unwrap_or_else(|| "none".to_owned())
}

/// Addresses, separated by commas, without users and passwords.
fn shown(url: &str) -> String {
    let without = |url: &str| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => url.to_owned(),
    };
    // A password may contain a comma: what has an `@` and no scheme belongs to the address before it.
    let mut urls: Vec<String> = Vec::new();
    for part in url.split(',') {
        match urls.last_mut() {
            Some(before) if part.contains('@') && !part.contains("://") => {
                before.push(',');
                before.push_str(part);
            }
            _ => urls.push(part.to_owned()),
        }
    }
    urls.iter().map(|url| without(url)).collect::<Vec<_>>().join(",")
}

/// The address of a fleet, which is shown without its password.
///
/// ```
/// let url: loom::fleet::FleetUrl = "nats://shop:secret@broker:4222".parse()?;
/// assert_eq!(format!("{url} {url:?}"), "nats://broker:4222 \"nats://broker:4222\"");
/// assert_eq!(String::from(url), "nats://shop:secret@broker:4222");
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FleetUrl(String);

impl FromStr for FleetUrl {
    type Err = Infallible;

    fn from_str(url: &str) -> Result<Self, Infallible> {
        Ok(Self(url.to_owned()))
    }
}

impl From<FleetUrl> for String {
    fn from(url: FleetUrl) -> Self {
        url.0
    }
}

impl fmt::Display for FleetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for FleetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", shown(&self.0))
    }
}

/// One line of what is set.
impl fmt::Debug for FleetSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = KEYS.iter().filter_map(|key| Some((key.name, (key.get)(self)?)));
        f.write_str("FleetSettings ")?;
        f.debug_map()
            .entries(set.map(|(name, value)| (DisplayText(name), DisplayText(value))))
            .finish()
    }
}

/// Shown without quotes.
struct DisplayText<T>(T);

impl<T: fmt::Display> fmt::Debug for DisplayText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromRaw for FleetRole {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[Self::Caller, Self::Worker, Self::OnlyWorker])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        assert_eq!(shown("nats://me:secret@here:4222"), "nats://here:4222");
        assert_eq!(shown("nats://me:p@ss@here,tls://there:1"), "nats://here,tls://there:1");
        assert_eq!(shown("token@here:4222"), "here:4222");
        assert_eq!(shown("nats://me:p,q@here,nats://a:b@there"), "nats://here,nats://there");
    }

    #[test]
    fn every_key_is_set_shown_and_merged() {
        for key in KEYS {
            let text = match key.name {
                "fleet.role" => "worker",
                "fleet.preferred" => "true",
                "fleet.most_calls" => "7",
                "fleet.time_limit" | "fleet.lost_after" => "500ms",
                _ => "shop",
            };
            let set = FleetSettings::of(key, &Raw::Text(text.to_owned())).expect(key.name);
            let mut merged = FleetSettings::default();
            merged.merge(&set);
            assert_eq!(merged, set);
            assert_eq!(value(key.name, &merged).trim_matches('"'), text);
            assert!(format!("{merged:?}").contains(key.name), "{merged:?}");
        }
    }
}
