//! Overrides: what an operator asks of functions, in place of what their code says.

use std::fmt;
use std::ops::RangeInclusive;

use crate::bridge::Priority;
use crate::scheduler::{ComputeHint, Mode};

use super::words::{Raw, nearest};

/// What is asked of a function in place of what its attribute or its caller says. What is `None` stays
/// as it is.
///
/// ```
/// use loom::{Mode, Override, Priority};
///
/// let over = Override::from(Mode::Offload).with_priority(Priority::Low);
/// assert_eq!(over.to_string(), "offload+priority:low");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Override {
    /// How it is decided where calls run.
    pub mode: Option<Mode>,
    /// The hint of calls that are not measured yet.
    pub hint: Option<ComputeHint>,
    /// The priority of offloaded calls in the queue.
    pub priority: Option<Priority>,
    /// How many calls may run at a time, at least 1.
    pub max_concurrent: Option<u32>,
}

impl Override {
    /// One that asks for nothing, which ends an earlier one for the same name.
    #[must_use]
    pub const fn none() -> Self {
        Self { mode: None, hint: None, priority: None, max_concurrent: None }
    }

    /// Asks for a hint.
    #[must_use]
    pub const fn with_hint(self, hint: ComputeHint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Asks for a priority.
    #[must_use]
    pub const fn with_priority(self, priority: Priority) -> Self {
        Self { priority: Some(priority), ..self }
    }

    /// Asks for a limit of calls that run at a time, at least 1.
    #[must_use]
    pub const fn with_max_concurrent(self, calls: u32) -> Self {
        Self { max_concurrent: Some(if calls == 0 { 1 } else { calls }), ..self }
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::none()
    }
}

impl From<Mode> for Override {
    fn from(mode: Mode) -> Self {
        Self { mode: Some(mode), ..Self::none() }
    }
}

const HINTS: [(&str, ComputeHint); 4] = [
    ("low", ComputeHint::Low),
    ("medium", ComputeHint::Medium),
    ("high", ComputeHint::High),
    ("unknown", ComputeHint::Unknown),
];
const PRIORITIES: [(&str, Priority); 3] =
    [("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)];

/// As it is written in a variable: words that `+` joins, or `none`.
impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = self.mode.map(|mode| mode.to_string());
        let hint = HINTS.iter().find(|(_, hint)| self.hint == Some(*hint));
        let hint = hint.map(|(word, _)| format!("hint:{word}"));
        let priority = PRIORITIES.iter().find(|(_, priority)| self.priority == Some(*priority));
        let priority = priority.map(|(word, _)| format!("priority:{word}"));
        let limit = self.max_concurrent.map(|calls| format!("{LIMIT}{calls}"));
        let words: Vec<_> = [mode, hint, priority, limit].into_iter().flatten().collect();
        f.write_str(if words.is_empty() { "none" } else { "" })?;
        f.write_str(&words.join("+"))
    }
}

const EXPECTED: &str = "expected `adaptive`, `offload`, `inline`, `observe`, `hint:low`, \
    `hint:medium`, `hint:high`, `hint:unknown`, `priority:low`, `priority:normal`, `priority:high`, \
    `max_concurrent:4` (1 to 1000000), or several of them joined by `+`; or `none`";
/// What comes before the number of calls that may run at a time.
const LIMIT: &str = "max_concurrent:";
const LIMITS: RangeInclusive<u32> = 1..=1_000_000;
const EXPECTED_LIST: &str =
    "expected functions such as `shop::thumbnail::shrink=offload,*=adaptive`";
const EXPECTED_NAME: &str = "expected the path of a function, such as `shop::thumbnail::shrink`, all of a \
    module, such as `shop::thumbnail::*`, or `*`";

impl Override {
    /// Parses words that `+` joins.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut over = Self::none();
        for word in text.split('+').map(str::trim) {
            over.set(word).ok_or_else(|| {
                let modes = Mode::ALL.iter().map(ToString::to_string);
                let hints = HINTS.iter().map(|(word, _)| format!("hint:{word}"));
                let priorities = PRIORITIES.iter().map(|(word, _)| format!("priority:{word}"));
                let words: Vec<_> = modes.chain(hints).chain(priorities).collect();
                match nearest(word, words.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => EXPECTED.to_owned(),
                }
            })?;
        }
        Ok(over)
    }

    fn set(&mut self, word: &str) -> Option<()> {
        if word == "none" {
            *self = Self::none();
        } else if let Some(hint) = word.strip_prefix("hint:") {
            self.hint = Some(HINTS.iter().find(|(known, _)| *known == hint)?.1);
        } else if let Some(priority) = word.strip_prefix("priority:") {
            self.priority = Some(PRIORITIES.iter().find(|(known, _)| *known == priority)?.1);
        } else if let Some(calls) = word.strip_prefix(LIMIT) {
            self.max_concurrent = Some(calls.parse().ok().filter(|n| LIMITS.contains(n))?);
        } else {
            self.mode = Some(*Mode::ALL.iter().find(|mode| mode.to_string() == word)?);
        }
        Some(())
    }

    /// One function's entry in a file: words, or a table of them.
    fn of_entry(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) => Self::parse(text),
            Raw::Table(entries) => {
                let mut over = Self::none();
                for (key, raw) in entries {
                    let word = match (key.as_str(), raw) {
                        ("mode", Raw::Text(word)) => word.clone(),
                        ("hint" | "priority" | "max_concurrent", Raw::Text(word)) => {
                            format!("{key}:{word}")
                        }
                        ("max_concurrent", Raw::Integer(calls)) => format!("{key}:{calls}"),
                        ("mode" | "hint" | "priority" | "max_concurrent", _) => {
                            return Err(EXPECTED.to_owned());
                        }
                        _ => {
                            return Err("expected `mode`, `hint`, `priority` or `max_concurrent`"
                                .to_owned());
                        }
                    };
                    over.set(&word).ok_or_else(|| EXPECTED.to_owned())?;
                }
                Ok(over)
            }
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

/// The names of functions, and what is asked of each: text of a variable, or a table of a file.
pub(crate) fn parse_all(raw: &Raw) -> Result<Vec<(String, Override)>, String> {
    match raw {
        Raw::Text(text) => entries(text)
            .into_iter()
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let (name, words) = entry.rsplit_once('=').ok_or(EXPECTED_LIST)?;
                let over = Override::parse(words).map_err(|why| format!("in `{entry}`: {why}"))?;
                check_name(name.trim())?;
                Ok((name.trim().to_owned(), over))
            })
            .collect(),
        Raw::Table(entries) => entries
            .iter()
            .map(|(name, raw)| {
                let over = Override::of_entry(raw).map_err(|why| format!("in `{name}`: {why}"))?;
                check_name(name)?;
                Ok((name.clone(), over))
            })
            .collect(),
        _ => Err(EXPECTED_LIST.to_owned()),
    }
}

/// Whether a function, a module or all may have this name.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    // A star stands for all, or for all of a module.
    let above = if name == "*" { "" } else { name.strip_suffix("::*").unwrap_or(name) };
    if depths(above).any(|(.., depth)| depth < 0)
        || depths(above).last().is_some_and(|(.., depth)| depth > 0)
    {
        return Err(format!("`{name}` names no function: a bracket has no partner"));
    }
    if name.is_empty() || outside_of_types(above, '*').next().is_some() {
        return Err(format!("`{name}` names no function: {EXPECTED_NAME}"));
    }
    Ok(())
}

/// The entries of a list, which commas divide.
fn entries(list: &str) -> Vec<&str> {
    let mut entries = Vec::new();
    let mut from = 0;
    for comma in outside_of_types(list, ',') {
        entries.push(&list[from..comma]);
        from = comma + 1;
    }
    entries.push(&list[from..]);
    entries
}

/// Where a character stands that is not part of a type, as in `shop::map<u8, *const u8>`.
fn outside_of_types(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    depths(text).filter(move |&(_, it, depth)| it == wanted && depth == 0).map(|(at, ..)| at)
}

/// Each character, where it stands, and how many brackets are open behind it; fewer than none where
/// one was closed that nothing had opened.
fn depths(text: &str) -> impl Iterator<Item = (usize, char, i64)> {
    let (mut depth, mut before) = (0, ' ');
    text.char_indices().map(move |(at, it)| {
        match it {
            '<' | '(' | '[' => depth += 1,
            // The `>` of `->` closes no bracket.
            '>' if before == '-' => {}
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        before = it;
        (at, it, depth)
    })
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Vec<(String, Override)>, String> {
        parse_all(&Raw::Text(text.to_owned()))
    }

    #[test]
    fn what_is_written_is_what_is_shown() {
        for words in [
            "offload",
            "inline+hint:high",
            "hint:unknown",
            "observe+hint:low+priority:high",
            "priority:low+max_concurrent:4",
        ] {
            assert_eq!(Override::parse(words).expect("it is one").to_string(), words);
        }
        assert_eq!(Override::parse("none"), Ok(Override::none()));
        assert_eq!(Override::none().to_string(), "none");
    }

    #[test]
    fn a_list_names_functions() {
        let all = text("a::b=offload, *=adaptive+priority:low,").expect("it is one");
        let offload = Override::from(Mode::Offload);
        let rest = Override::from(Mode::Adaptive).with_priority(Priority::Low);
        assert_eq!(all, [("a::b".to_owned(), offload), ("*".to_owned(), rest)]);
        let all = text("a::map<u8, fn(*const u8) -> [u8; 2]>=offload,b=inline").expect("it is one");
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a::map<u8, fn(*const u8) -> [u8; 2]>", "b"]);
        let table = |key: &str, word: &str| (key.to_owned(), Raw::Text(word.to_owned()));
        let below = Raw::Table(vec![table("mode", "inline"), table("hint", "low")]);
        let all = Raw::Table(vec![("a::b".to_owned(), below), table("c", "offload")]);
        let inline = Override::from(Mode::Inline).with_hint(ComputeHint::Low);
        let expected = [("a::b".to_owned(), inline), ("c".to_owned(), offload)];
        assert_eq!(parse_all(&all), Ok(expected.to_vec()));
    }

    #[test]
    fn what_is_none_of_these_is_an_error_that_says_what_is_expected() {
        assert_eq!(text("a=ofload"), Err("in `a=ofload`: did you mean `offload`?".to_owned()));
        for (wrong, words) in [
            ("a", "expected functions such as"),
            ("=offload", "`` names no function: expected the path"),
            ("shop::image*=offload", "`shop::image*` names no function"),
            ("*::shrink=offload", "`*::shrink` names no function"),
            ("a=", "expected `adaptive`"),
            (
                "shop::map<u8=offload,b=inline",
                "`shop::map<u8=offload,b` names no function: a bracket",
            ),
            ("shop::map)=offload,b=inline", "`shop::map)=offload,b` names no function: a bracket"),
            ("shop::map><=offload", "`shop::map><` names no function: a bracket"),
            ("a=hint:long", "did you mean `hint:low`?"),
            ("a=max_concurrent:0", "`max_concurrent:4` (1 to 1000000)"),
            ("a=max_concurrent:many", "`max_concurrent:4` (1 to 1000000)"),
        ] {
            assert!(text(wrong).is_err_and(|error| error.contains(words)), "{wrong}");
        }
        let table = Raw::Table(vec![("moed".to_owned(), Raw::Text("inline".to_owned()))]);
        let error = parse_all(&Raw::Table(vec![("a".to_owned(), table)]));
        let expected = "in `a`: expected `mode`, `hint`, `priority` or `max_concurrent`";
        assert_eq!(error, Err(expected.to_owned()));
        let table = |calls| {
            let table = Raw::Table(vec![("max_concurrent".to_owned(), Raw::Integer(calls))]);
            parse_all(&Raw::Table(vec![("a".to_owned(), table)]))
        };
        let four = Override::none().with_max_concurrent(4);
        assert_eq!(table(4), Ok(vec![("a".to_owned(), four)]));
        assert!([0, -1, 1_000_001].into_iter().all(|calls| table(calls).is_err()));
        assert!(parse_all(&Raw::Integer(1)).is_err());
    }
}
