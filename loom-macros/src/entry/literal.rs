//! The rules for settings that are written as literals, checked where they are written.
//!
//! The builder has the same rules for settings from every other source; the tests below compare
//! the two.

use std::ops::RangeInclusive;
use std::time::Duration;

const LONGEST_PREFIX: usize = 64;
const HIGHEST_CPU: usize = 65_535;
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);
const SLOW_POLLS: RangeInclusive<Duration> = Duration::from_micros(10)..=Duration::from_secs(3600);

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

/// A number of digits only.
fn cpu(text: &str) -> Option<usize> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
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

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| {
        format!("expected a duration such as `500ms`, `5s` or `2min`: {}", why(&error))
    })?;
    if duration > LONGEST_TIMEOUT {
        return Err(format!("expected at most `24h`, found `{text}`"));
    }
    Ok(duration)
}

/// The limit for slow polls; `None` for `off`.
pub(crate) fn slow_poll(text: &str) -> Result<Option<Duration>, String> {
    if text.trim() == "off" {
        return Ok(None);
    }
    let duration = humantime::parse_duration(text).map_err(|error| {
        format!("expected a duration such as `500us`, `1ms` or `1s`, or `off`: {}", why(&error))
    })?;
    if SLOW_POLLS.contains(&duration) {
        Ok(Some(duration))
    } else {
        Err(format!("expected `10us` to `1h`, or `off`, found `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use loom::LoomBuilder;

    use super::*;

    /// The builder's error for a setting, if there is one.
    fn refusal(builder: LoomBuilder) -> Option<String> {
        builder.tokio_threads(1).rayon_threads(1).build().err().map(|error| error.to_string())
    }

    #[test]
    fn cpu_lists_are_refused_in_the_builders_words() {
        for list in ["", " ", "x", "3-1", "99999999", "0-", "1,,2", "+1", "0-70000"] {
            let here = cpu_list(list).expect_err(list);
            let there = refusal(LoomBuilder::new().cpuset(list)).expect(list);
            assert!(there.contains(&here), "{list}: {here}; {there}");
        }
        for list in ["0", " 0 , 1 - 3 ", "0-65535"] {
            assert_eq!(cpu_list(list), Ok(()));
            let there = refusal(LoomBuilder::new().cpuset(list)).unwrap_or_default();
            assert!(!there.contains("expected"), "{list}: {there}");
        }
    }

    #[test]
    fn names_are_refused_where_the_builder_does() {
        let long = "x".repeat(LONGEST_PREFIX + 1);
        for (name, is_right) in
            [("", false), (&*long, false), ("a\nb", false), ("shop", true), ("a b", true)]
        {
            assert_eq!(prefix(name).is_ok(), is_right, "{name}");
            assert_eq!(refusal(LoomBuilder::new().prefix(name)).is_none(), is_right, "{name}");
        }
        for (name, is_right) in
            [("", false), ("__", false), ("A B", false), ("A=B", false), ("LOOM_TEST", true)]
        {
            assert_eq!(variables(name).is_ok(), is_right, "{name}");
            assert_eq!(refusal(LoomBuilder::new().env_prefix(name)).is_none(), is_right, "{name}");
        }
        assert!(file("").is_err() && refusal(LoomBuilder::new().profile("")).is_some());
    }

    #[test]
    fn durations_are_refused_where_the_builder_does() {
        for (text, is_right) in [("24h", true), ("0s", true), ("24h 1s", false)] {
            assert_eq!(duration(text).is_ok(), is_right, "{text}");
            let parsed = humantime::parse_duration(text).expect("it is a duration");
            let there = refusal(LoomBuilder::new().shutdown_timeout(parsed));
            assert_eq!(there.is_none(), is_right, "{text}");
        }
        for (text, is_right) in
            [("10us", true), ("1h", true), ("9us", false), ("0s", false), ("61min", false)]
        {
            assert_eq!(slow_poll(text).is_ok(), is_right, "{text}");
            let parsed = humantime::parse_duration(text).expect("it is a duration");
            let there = refusal(LoomBuilder::new().slow_poll(parsed));
            assert_eq!(there.is_none(), is_right, "{text}");
        }
        assert_eq!(slow_poll("off"), Ok(None));
        assert_eq!(refusal(LoomBuilder::new().slow_poll(None)), None);
        assert!(duration("5").is_err() && duration("5 parsecs").is_err());
    }
}
