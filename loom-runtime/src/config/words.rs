//! Parses the values of settings from files, environment variables and arguments.

use std::fmt;
use std::time::Duration;

use crate::topology::{ComputePriority, GlobalRayon, Pin, Placement};

pub(super) const EXPECTED_THREADS: &str =
    "expected a whole number from 1 to 8192, or leave it out for the default";
pub(super) const EXPECTED_CORES: &str =
    "expected a whole number from 0 to 1024, or leave it out for none";
pub(super) const EXPECTED_SPARES: &str =
    "expected a whole number from 1 to 1024, or leave it out for the default";
pub(super) const EXPECTED_STACK: &str = "expected 128KiB to 4GiB, in bytes or with a unit such as `8MiB`, or leave it out for the default";
pub(super) const EXPECTED_SLOW_POLL: &str = "expected `10us` to `1h`, or `off`";
pub(super) const EXPECTED_CALLS: &str =
    "expected a whole number from 1 to 16777216, or leave it out for the default";

/// Which kind of tokio runtime drives async tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokioFlavor {
    /// A runtime with worker threads.
    #[default]
    MultiThread,
    /// A runtime without worker threads: tasks run only while a thread is inside
    /// [`block_on`](crate::LoomRuntime::block_on), and on that thread.
    CurrentThread,
}

impl fmt::Display for TokioFlavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MultiThread => "multi_thread",
            Self::CurrentThread => "current_thread",
        })
    }
}

/// A value as it is written in a file, a variable or an argument.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "config-files"), allow(dead_code, reason = "only files have every kind"))]
pub(crate) enum Raw {
    Text(String),
    Integer(i128),
    Float(f64),
    Bool(bool),
    /// The entries of a table, in their order.
    Table(Vec<(String, Raw)>),
    /// A description of a value of a type that no setting has.
    Other(String),
}

impl Raw {
    pub(super) fn is_table(&self) -> bool {
        matches!(self, Self::Table(_))
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x}"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Table(_) => f.write_str("a table"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A type that can be parsed from a raw value; the error states what was expected.
pub(crate) trait FromRaw: Sized {
    fn from_raw(raw: &Raw) -> Result<Self, String>;
}

impl FromRaw for String {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) => Ok(text.clone()),
            _ => Err("expected a string".to_owned()),
        }
    }
}

/// A whole number, or text that is one: variables and arguments have only text. `check` tests the
/// bounds for all sources.
fn number(raw: &Raw) -> Option<usize> {
    let number: i128 = match raw {
        Raw::Integer(n) => *n,
        Raw::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.try_into().ok()
}

impl FromRaw for usize {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        number(raw).ok_or_else(|| EXPECTED_THREADS.to_owned())
    }
}

/// Types for whole numbers, each with its own error text.
macro_rules! numbers {
    ($($(#[$doc:meta])* $kind:ident: $expected:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $kind(pub(crate) usize);

        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromRaw for $kind {
            fn from_raw(raw: &Raw) -> Result<Self, String> {
                number(raw).map(Self).ok_or_else(|| $expected.to_owned())
            }
        }
    )*};
}

numbers! {
    /// A number of calls.
    Calls: EXPECTED_CALLS,
    /// A number of local cores.
    Cores: EXPECTED_CORES,
    /// A number of spare threads.
    Spares: EXPECTED_SPARES,
}

/// A number of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Bytes(pub(crate) usize);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromRaw for bool {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        let switch = match raw {
            Raw::Bool(switch) => Some(*switch),
            Raw::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        switch.ok_or_else(|| "expected `true` or `false`".to_owned())
    }
}

impl FromRaw for Bytes {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        let bytes = match raw {
            Raw::Text(text) => bytes_of(text.trim()),
            raw => number(raw),
        };
        bytes.map(Self).ok_or_else(|| EXPECTED_STACK.to_owned())
    }
}

/// A number with a binary unit, or of bytes.
fn bytes_of(text: &str) -> Option<usize> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift)
}

impl FromRaw for GlobalRayon {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[Self::Plain, Self::IoFirst])
    }
}

/// What is wrong with a duration. Of unknown units without those that the parser knows: most are too long here.
fn why(error: &humantime::DurationError) -> String {
    match error {
        humantime::DurationError::UnknownUnit { unit, .. } if !unit.is_empty() => {
            format!("unknown unit `{unit}`")
        }
        error => error.to_string(),
    }
}

impl FromRaw for Duration {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        let expected = |why| format!("expected a duration such as `500ms`, `5s` or `2min`{why}");
        match raw {
            Raw::Text(text) => humantime::parse_duration(text.trim())
                .map_err(|error| expected(format!(": {}", why(&error)))),
            Raw::Integer(_) => Err(expected(", with its unit".to_owned())),
            _ => Err(expected(String::new())),
        }
    }
}

/// A limit, or none.
#[derive(Clone, Copy)]
pub(crate) struct Limit(pub(crate) Option<Duration>);

/// The word for no limit.
const OFF: &str = "off";

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(limit) => write!(f, "{}", humantime::format_duration(limit)),
            None => f.write_str(OFF),
        }
    }
}

impl FromRaw for Limit {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) if text.trim() == OFF => Ok(Self(None)),
            // What YAML may read `off` as.
            Raw::Bool(false) => Ok(Self(None)),
            raw => Duration::from_raw(raw)
                .map(|limit| Self(Some(limit)))
                .map_err(|expected| format!("{expected}; or `{OFF}`")),
        }
    }
}

impl FromRaw for Pin {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Bool(pin) => Ok((*pin).into()),
            Raw::Text(text) if text == "true" => Ok(Self::Yes),
            Raw::Text(text) if text == "false" => Ok(Self::No),
            Raw::Text(text) if text == "required" => Ok(Self::Required),
            Raw::Text(text) if text == "auto" => Ok(Self::Auto),
            _ => Err("expected `auto`, `true`, `false` or `required`".to_owned()),
        }
    }
}

pub(super) fn one_of<T: Copy + fmt::Display>(raw: &Raw, known: &[T]) -> Result<T, String> {
    let words: Vec<String> = known.iter().map(ToString::to_string).collect();
    if let Raw::Text(text) = raw {
        if let Some(at) = words.iter().position(|word| word == text) {
            return Ok(known[at]);
        }
        if let Some(near) = nearest(text, words.iter().map(String::as_str)) {
            return Err(format!("did you mean `{near}`?"));
        }
    }
    let (last, others) = words.split_last().map_or(("", &[][..]), |(last, rest)| (&**last, rest));
    let others: Vec<_> = others.iter().map(|word| format!("`{word}`")).collect();
    Err(format!("expected {} or `{last}`", others.join(", ")))
}

impl FromRaw for Placement {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[Self::Shared, Self::Split])
    }
}

impl FromRaw for ComputePriority {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[Self::Auto, Self::Idle, Self::Nice, Self::Normal])
    }
}

impl FromRaw for TokioFlavor {
    fn from_raw(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[Self::MultiThread, Self::CurrentThread])
    }
}

/// The word that was probably meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// The least similarity of a probable misspelling; clap uses the same value.
    const LIKELY: f64 = 0.7;
    known
        .map(|known| (strsim::jaro(word, known), known))
        .filter(|(likeness, _)| *likeness > LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
