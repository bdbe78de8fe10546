//! Settings from a TOML, YAML or JSON file; the extension determines the format.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_core::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{LoomError, Result};

use super::settings::Settings;
use super::words::Raw;
use crate::error::Source;

/// Reads a file that has the keys at its top level.
pub(crate) fn from_file(path: &Path) -> Result<Settings> {
    // An absolute path, since the reader of an error may not know the working directory.
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let problem = |problem: String| LoomError::ConfigFile { path: shown.clone(), problem };
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.map(str::to_ascii_lowercase);
    let parse: fn(&str) -> Result<Entries, String> = match extension.as_deref() {
        Some("toml") => |text| toml::from_str(text).map_err(|error| error.to_string()),
        Some("yaml" | "yml") => {
            |text| serde_saphyr::from_str(text).map_err(|error| error.to_string())
        }
        Some("json") => |text| serde_json::from_str(text).map_err(|error| error.to_string()),
        _ => {
            return Err(problem(
                "expected a name that ends in `.toml`, `.yaml`, `.yml` or `.json`".to_owned(),
            ));
        }
    };
    let metadata = fs::metadata(path).map_err(|error| problem(error.to_string()))?;
    if !metadata.is_file() {
        return Err(problem("expected a regular file".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    // Editors may add a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Ok(Settings::default());
    }
    let Entries(entries) = parse(text).map_err(|error| problem(without_secrets(error.trim())))?;
    let source = Source::File(path.to_owned());
    let mut settings = Settings::default();
    let mut names = Vec::new();
    if let Some(twice) = given_twice("", &entries, &mut names) {
        return Err(problem(format!("`{twice}` is given twice")));
    }
    for (key, raw) in &entries {
        settings.set(key, raw, &source)?;
    }
    Ok(settings)
}

/// What a parser says, without the lines of the file that it quotes, if they may contain a password.
fn without_secrets(error: &str) -> String {
    if !error.contains('@') {
        return error.to_owned();
    }
    let own: Vec<_> = error.lines().filter(|line| !line.contains('|')).collect();
    let told = own.join("\n");
    if told.contains('@') { "it cannot be parsed".to_owned() } else { told.trim().to_owned() }
}

/// The full name of the first key that is given more than once.
fn given_twice(above: &str, entries: &[(String, Raw)], names: &mut Vec<String>) -> Option<String> {
    entries.iter().find_map(|(key, raw)| {
        let name = format!("{above}{key}");
        if names.contains(&name) {
            return Some(name);
        }
        let below = match raw {
            Raw::Table(below) => given_twice(&format!("{name}."), below, names),
            _ => None,
        };
        names.push(name);
        below
    })
}

/// Keys and values in the order of the file, including repeated keys.
struct Entries(Vec<(String, Raw)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of settings")
            }

            /// An empty YAML document sets nothing.
            fn visit_unit<E>(self) -> Result<Entries, E> {
                Ok(Entries(Vec::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_any(Table)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Integer(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Integer(value.into()))
            }

            fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
                Ok(Raw::Integer(value))
            }

            fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
                Ok(Raw::Other(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Other("empty".to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
                while list.next_element::<Raw>()?.is_some() {}
                Ok(Raw::Other("a list".to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Table(entries))
            }
        }
        deserializer.deserialize_any(Value)
    }
}
