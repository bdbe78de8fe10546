//! What settings may be, checked where they are written as literals.
//!
//! The builder has the same rules for what comes from anywhere else; `tests/literals.rs` of the
//! workspace holds the two against each other.

use std::time::Duration;

const LONGEST_PREFIX: usize = 64;
const HIGHEST_CPU: usize = 65_535;
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

pub(super) fn prefix(name: &str) -> Result<(), String> {
    if name.is_empty() {
        Err("expected a name for the threads, found an empty string".to_owned())
    } else if name.len() > LONGEST_PREFIX {
        Err(format!("expected at most {LONGEST_PREFIX} bytes, found {}", name.len()))
    } else if name.chars().any(char::is_control) {
        Err("expected no control characters: it becomes part of thread names".to_owned())
    } else {
        Ok(())
    }
}

/// The first part of the names of environment variables.
pub(super) fn variables(name: &str) -> Result<(), String> {
    let bare = name.trim_end_matches('_');
    if bare.is_empty() {
        Err("expected a name for the variables, such as `MYAPP`".to_owned())
    } else if bare.contains(|c: char| c == '=' || c == '\0' || c.is_whitespace()) {
        Err("expected a name that variables can have, such as `MYAPP`".to_owned())
    } else {
        Ok(())
    }
}

pub(super) fn file(name: &str) -> Result<(), String> {
    if name.is_empty() {
        Err("expected the name of a file, found an empty string".to_owned())
    } else {
        Ok(())
    }
}

/// CPU numbers and ranges of them.
pub(super) fn cpu_list(text: &str) -> Result<(), String> {
    const EXPECTED: &str = "expected CPU numbers and ranges such as `0-3,8`";
    if text.trim().is_empty() {
        return Err(EXPECTED.to_owned());
    }
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Some(first), Some(last)) = (cpu(first), cpu(last)) else {
            return Err(format!("{EXPECTED}, and `{part}` is neither"));
        };
        if last < first {
            return Err(format!("expected ranges in ascending order: `{last}-{first}`"));
        }
        if last > HIGHEST_CPU {
            return Err(format!("expected CPUs 0 to {HIGHEST_CPU}, found {last}"));
        }
    }
    Ok(())
}

/// Digits alone.
fn cpu(text: &str) -> Option<usize> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("expected a duration such as `500ms`, `5s` or `2min`: {error}"))?;
    if duration > LONGEST_TIMEOUT {
        return Err(format!("expected at most `24h`, found `{text}`"));
    }
    Ok(duration)
}
