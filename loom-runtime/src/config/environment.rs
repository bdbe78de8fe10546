//! Settings from environment variables: `MYAPP_TOKIO_THREADS` for `tokio_threads`.

use std::ffi::{OsStr, OsString};

use crate::error::{LoomError, Result};

use super::settings::{LOOM_RS_KEYS, Settings, keys};
use super::words::{Raw, nearest};
use crate::error::Source;

/// Reads the settings from those variables whose names begin with the prefix.
///
/// A program may have variables of its own with the same prefix. A variable that matches no key is
/// ignored, unless it looks like a misspelled key.
pub(crate) fn from_environment(
    prefix: &str,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Settings> {
    let given = prefix;
    let prefix = prefix.trim_end_matches('_');
    if prefix.is_empty() || prefix.contains(|c: char| c == '=' || c == '\0' || c.is_whitespace()) {
        return Err(LoomError::InvalidSetting {
            setting: "env_prefix",
            value: format!("{given:?}"),
            source_of_value: Source::Code,
            remedy: "expected a name such as `MYAPP`, for variables such as \
                     `MYAPP_TOKIO_THREADS`"
                .to_owned(),
        });
    }
    let mut settings = Settings::default();
    for (variable, value) in variables {
        let Some((variable, key)) = key_below(prefix, &variable) else { continue };
        let source = Source::Environment(variable.to_owned());
        let mut all = keys().chain(LOOM_RS_KEYS);
        let known = all.find(|known| known.to_uppercase().replace('.', "_") == key);
        let Some(known) = known else {
            // A variable with this prefix can only be meant as a knob.
            let is_ours = key.starts_with("MAB_KNOBS_");
            let near = || nearest(&key.to_lowercase(), keys()).filter(|_| is_ours);
            let Some(meant) = misspelled_key(key).or_else(near) else { continue };
            let meant = meant.to_uppercase().replace('.', "_");
            return Err(LoomError::UnknownSetting {
                key: key.to_owned(),
                source_of_key: source,
                remedy: format!(
                    "did you mean `{prefix}_{meant}`? If it is the program's own, choose another \
                     `env_prefix`"
                ),
            });
        };
        let Some(text) = value.to_str() else {
            return Err(LoomError::InvalidSetting {
                setting: known,
                value: format!("`{}`", value.display()),
                source_of_value: source,
                remedy: "expected UTF-8".to_owned(),
            });
        };
        settings.set(known, &Raw::Text(text.to_owned()), &source)?;
    }
    Ok(settings)
}

/// The overrides of the variable that every program has, whatever its prefix.
pub(crate) fn functions_of_environment() -> Result<Settings> {
    let variable = |(name, _): &(OsString, OsString)| name == "LOOM_FUNCTIONS";
    from_environment("LOOM", std::env::vars_os().filter(variable))
}

/// The key that a variable's name misspells: no other name is likely to be so similar.
fn misspelled_key(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    keys().find(|key| {
        let key = key.replace('.', "_");
        let likely = match key.len() {
            ..4 => 0,
            4..8 => 1,
            _ => 2,
        };
        strsim::damerau_levenshtein(&name, &key) <= likely
    })
}

fn key_below<'a>(prefix: &str, variable: &'a OsStr) -> Option<(&'a str, &'a str)> {
    let variable = variable.to_str()?;
    Some((variable, variable.strip_prefix(prefix)?.strip_prefix('_')?))
}
