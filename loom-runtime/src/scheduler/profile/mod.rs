//! Profiles: what was learned of functions, as a text that the next run of the program reads.
//!
//! One line per function, sorted by name, with few digits, so that a diff shows only real changes.

#[cfg(feature = "hints")]
mod hints;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

/// The first line, which names the columns of the others.
const HEADER: &str = "# Loom profile 1: name | path | sizes of input | shares of calls, and how \
                      long these took | calls, roughly";
/// How a first line begins in every version.
const ANY_HEADER: &str = "# Loom profile ";
/// No call takes so long, in nanoseconds: eleven days.
const LONGEST: f64 = 1e15;
/// The units of times, longest first, in nanoseconds.
const UNITS: [(&str, f64); 4] = [("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0)];

/// What is known of functions, by name and sizes of input.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Profile(BTreeMap<Key, Learned>);

/// A name, and the first and last size of input if calls state a size.
type Key = (String, Option<(u64, u64)>);

/// How long calls of one function take.
#[derive(Clone, Debug, PartialEq)]
struct Learned {
    path: String,
    /// Shares of the calls, and nanoseconds.
    parts: Vec<(f64, f64)>,
    /// The most calls of a run, rounded down to one digit; 0 if the line does not say.
    calls: u64,
}

impl Profile {
    /// Reads the text of a profile. The error names the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut profile = Self::default();
        // Editors may add a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let version = text.strip_prefix(ANY_HEADER).filter(|rest| !rest.starts_with("1:"));
        if version.is_some() {
            let problem = "the file has another version of the format; remove it to learn anew";
            return Err(problem.to_owned());
        }
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, learned) = entry(line).ok_or_else(|| {
                format!(
                    "line {}: expected `name | path | sizes or any | 90% 5.2us, 10% 4.9ms | 400 calls`, \
                     found `{line}`; remove the file to learn anew",
                    i + 1
                )
            })?;
            profile.0.insert(key, learned);
        }
        Ok(profile)
    }

    /// What is known of a function: shares of its calls, and their run times in nanoseconds.
    pub(crate) fn of(
        &self,
        name: &str,
        sizes: Option<&RangeInclusive<u64>>,
    ) -> Option<&[(f64, f64)]> {
        let sizes = sizes.map(|sizes| (*sizes.start(), *sizes.end()));
        self.0.get(&(column(name)?, sizes)).map(|learned| &*learned.parts)
    }

    /// Adds what was learned of a function: weights, run times in nanoseconds, and how many calls it had.
    pub(crate) fn learn(
        &mut self,
        (name, path): (&str, &str),
        sizes: Option<&RangeInclusive<u64>>,
        parts: &[(f64, f64)],
        calls: u64,
    ) {
        let all: f64 = parts.iter().map(|(weight, _)| weight).sum();
        let (Some(name), Some(path)) = (column(name), column(path)) else { return };
        let mut parts: Vec<(f64, f64)> =
            parts.iter().map(|(weight, nanos)| (weight / all, rounded(*nanos))).collect();
        parts.sort_by(|a, b| a.1.total_cmp(&b.1));
        // Parts whose rounded times are equal become one.
        parts.dedup_by(|next, kept| {
            let is_same = next.1.total_cmp(&kept.1).is_eq();
            if is_same {
                kept.0 += next.0;
            }
            is_same
        });
        let mut shares: Vec<(f64, f64)> = parts
            .into_iter()
            .map(|(share, nanos)| ((share * 100.0).round(), nanos))
            .filter(|(percent, _)| *percent > 0.0)
            .collect();
        // The largest share takes the rounding error, so that the shares add up to 100 and a
        // profile that is read and written again stays the same.
        let over = shares.iter().map(|(percent, _)| percent).sum::<f64>() - 100.0;
        if let Some(largest) = shares.iter_mut().max_by(|a, b| a.0.total_cmp(&b.0)) {
            largest.0 -= over;
        }
        for (share, _) in &mut shares {
            *share /= 100.0;
        }
        if shares.is_empty() {
            return;
        }
        let sizes = sizes.map(|sizes| (*sizes.start(), *sizes.end()));
        let key = (name, sizes);
        // A short run says little of which class is the usual one.
        let before = self.0.get(&key).map_or(0, |learned| learned.calls);
        let calls = one_digit(calls).max(before);
        self.0.insert(key, Learned { path, parts: shares, calls });
    }
}

/// Rounds down to one significant digit.
fn one_digit(calls: u64) -> u64 {
    let step = 10_u64.pow(calls.checked_ilog10().unwrap_or(0));
    (calls / step).saturating_mul(step)
}

/// Parses one line.
fn entry(line: &str) -> Option<(Key, Learned)> {
    let columns: Vec<&str> = line.split(" | ").collect();
    let (name, path, sizes, parts, calls) = match columns[..] {
        [name, path, sizes, parts] => (name, path, sizes, parts, 0),
        [name, path, sizes, parts, calls] => {
            (name, path, sizes, parts, calls.strip_suffix(" calls")?.parse().ok()?)
        }
        _ => return None,
    };
    let sizes = if sizes == "any" {
        None
    } else {
        let (first, last) = sizes.split_once("..=")?;
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    let mut parts = parts.split(", ").map(part).collect::<Option<Vec<_>>>()?;
    let all: f64 = parts.iter().map(|(share, _)| share).sum();
    if all <= 0.0 {
        return None;
    }
    for (share, _) in &mut parts {
        *share /= all;
    }
    Some(((name.to_owned(), sizes), Learned { path: path.to_owned(), parts, calls }))
}

/// A name as it is written in a line; `None` if several functions may have the name: the closures
/// of one function share one name, and so do the instances of generic functions that take them.
fn column(name: &str) -> Option<String> {
    let plain = name.replace(|c: char| c == '|' || c == '#' || c.is_control(), "_");
    let is_one = !plain.contains("{{") && !plain.trim().is_empty();
    is_one.then(|| plain.trim().to_owned())
}

/// Parses one part, such as `93% 5.2us`.
fn part(text: &str) -> Option<(f64, f64)> {
    let (share, time) = text.split_once("% ")?;
    let share: f64 = share.parse().ok()?;
    let (number, unit) = time.split_at(time.find(|c: char| c.is_ascii_alphabetic())?);
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: f64 = number.parse().ok()?;
    let nanos = number * nanos;
    let is_right = (0.0..=100.0).contains(&share) && (0.0..=LONGEST).contains(&nanos);
    is_right.then_some((share / 100.0, nanos))
}

/// Rounds to two significant digits, at least 1 ns.
fn rounded(nanos: f64) -> f64 {
    let nanos = nanos.max(1.0);
    let step = 10_f64.powf(nanos.log10().floor() - 1.0);
    (nanos / step).round() * step
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        for ((name, sizes), Learned { path, parts, calls }) in &self.0 {
            write!(f, "{name} | {path} | {}", Sizes(*sizes))?;
            for (i, (share, nanos)) in parts.iter().enumerate() {
                f.write_str(if i == 0 { " | " } else { ", " })?;
                write!(f, "{:.0}% {}", share * 100.0, time(*nanos))?;
            }
            // A line of a version that did not count calls stays as it is.
            if *calls > 0 {
                write!(f, " | {calls} calls")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// A column of sizes.
struct Sizes(Option<(u64, u64)>);

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((first, last)) => write!(f, "{first}..={last}"),
            None => f.write_str("any"),
        }
    }
}

/// A time as it is written in a line, such as `5.2us`.
fn time(nanos: f64) -> String {
    let (unit, size) = UNITS.into_iter().find(|(_, size)| nanos >= *size).unwrap_or(("ns", 1.0));
    let number = format!("{:.1}", nanos / size);
    format!("{}{unit}", number.strip_suffix(".0").unwrap_or(&number))
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    fn learned() -> Profile {
        let mut profile = Profile::default();
        let sizes = 4096..=8191;
        profile.learn(
            ("shop::b", "shop::b"),
            Some(&sizes),
            &[(53.0, 5234.0), (7.0, 4.94e6), (40.0, 5216.0)],
            4_321,
        );
        profile.learn(("<A as B>::a", "shop::a"), None, &[(0.1, 1e9), (99.9, 812e3)], 0);
        profile
    }

    #[test]
    fn shares_come_to_all_however_they_are_rounded() {
        let mut profile = Profile::default();
        profile.learn(("a", "a"), None, &[(8.85, 70.0), (0.575, 590.0), (0.575, 8200.0)], 0);
        let written = profile.to_string();
        assert!(written.ends_with("a | a | any | 88% 70ns, 6% 590ns, 6% 8.2us\n"), "{written}");
    }

    #[test]
    fn a_profile_is_text_that_reads_the_same() {
        let text = learned().to_string();
        assert_eq!(
            text,
            format!(
                "{HEADER}\n<A as B>::a | shop::a | any | 100% 810us\n\
                 shop::b | shop::b | 4096..=8191 | 93% 5.2us, 7% 4.9ms | 4000 calls\n"
            )
        );
        let read = Profile::parse(&text).expect("it was written so");
        assert_eq!(read.to_string(), text);
        let parts = read.of("shop::b", Some(&(4096..=8191))).expect("it is there");
        assert!((parts[1].1 - 4.9e6).abs() < 1.0 && (parts[1].0 - 0.07).abs() < 1e-9);
        assert_eq!(read.of("shop::b", None), None);
    }

    #[test]
    fn what_is_no_profile_is_told_with_its_line() {
        for wrong in [
            "shop::a",
            "a | b | c | 1% 2us",
            "a | b | any | 1% 2",
            "a | b | any | x% 2us",
            "a | b | any | 0% 2us",
            "a | b | any | 1% 1000000000000s",
            "a | b | any | 1% NaNs",
            "a | b | any | 1% -2s",
            "a | b | any | 1% 2us | 3",
            "a | b | any | 1% 2us | -3 calls",
        ] {
            let error = Profile::parse(&format!("{HEADER}\n\n{wrong}")).expect_err(wrong);
            assert!(error.contains("line 3") && error.contains(wrong), "{error}");
        }
        assert_eq!(Profile::parse(""), Ok(Profile::default()));
        assert!(Profile::parse("\u{feff}# Loom profile 1: x\n").is_ok());
        assert!(Profile::parse("# Loom profile 2: x\n").is_err_and(|e| e.contains("version")));
    }

    #[test]
    fn any_name_that_is_written_is_read() {
        for name in ["a | b", "# a", " a", "a\nb", "a | b | any | 1% 2us"] {
            let mut profile = Profile::default();
            profile.learn((name, name), None, &[(1.0, 2e3)], 3);
            let read = Profile::parse(&profile.to_string()).expect(name);
            assert!(read.of(name, None).is_some(), "{name}: {read}");
        }
        let mut profile = Profile::default();
        profile.learn(("a::{{closure}}", "a"), None, &[(1.0, 2e3)], 3);
        profile.learn(("b", "b"), None, &[], 3);
        assert_eq!(profile, Profile::default());
    }
}
