//! Overrides that a runtime has from its start.

use crate::config::{Override, functions_of_environment};
use crate::core::{Core, Rule};
use crate::error::Source;

use super::warn::say;

/// Overrides before the first call. What the program itself says is no news.
pub(crate) fn override_at_start(core: &Core, name: &str, over: Override, source: Source) {
    if !matches!(source, Source::Code | Source::Default) {
        say(&format!("override of `{name}`: {over}, {source}"));
    }
    core.overrides.set(Rule::new(name, over, source));
}

/// The overrides of a runtime that has no builder, which could report an error: the process-wide pool, and
/// that of a plug-in.
pub(crate) fn take_from_environment(core: &Core) {
    match functions_of_environment() {
        Ok(settings) => settings.functions.into_iter().for_each(|given| {
            let (name, over) = given.value;
            override_at_start(core, &name, over, given.source);
        }),
        Err(error) => say(&format!("{error}; compute functions run as their code says")),
    }
}
