//! Hints in a file: `loom-hints.toml` beside a program's `Cargo.toml`.
//!
//! The file maps item paths to hints, so that what was learned in one environment is used in
//! another without a change of code:
//!
//! ```toml
//! "shop::images::resize" = "high"
//! "shop::cart::total" = "low"
//! ```
//!
//! A path consists of the module path and the function's name, without types: `Cart::total` has
//! the path `shop::cart::total`, and all methods of that name in the module share the hint. The
//! path begins with the name of the crate; for `src/main.rs`, that is the name of the package.
//! Nested tables have the same meaning (`[shop.images]`, `resize = "high"`). A `hint` in the code
//! wins over the file. A `key` in the code does not change the path. The environment variable
//! `LOOM_HINTS` names another file, relative to the package's directory.
//!
//! When the file changes, Cargo compiles the package again. Cargo does not notice a new file until
//! it compiles the package for another reason, for example after `touch src/main.rs`. Without the
//! feature `hints`, no file is read.
//!
//! [`check`] reports entries that match no function; call it in a test.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::{LoomError, Result};
use crate::scheduler::{ComputeHint, Profile};

/// One compute function of a package that has a file of hints.
#[doc(hidden)]
#[derive(Debug)]
pub struct Hinted {
    /// The path of its module.
    pub module: &'static str,
    /// The function's name.
    pub item: &'static str,
    /// The path of the file.
    pub file: &'static str,
    /// The text of the file.
    pub text: &'static str,
}

/// All such functions, which the linker collects.
#[doc(hidden)]
#[linkme::distributed_slice]
pub static HINTED: [Hinted];

/// The problems in files of hints.
#[derive(Clone, PartialEq, Eq)]
pub struct HintsError {
    problems: Vec<(PathBuf, String)>,
}

impl fmt::Display for HintsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (path, problem)) in self.problems.iter().enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}`{}`: {problem}", path.display())?;
        }
        Ok(())
    }
}

/// The same as `Display`: a test that fails with `?` prints this form.
impl fmt::Debug for HintsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for HintsError {}

/// Checks the files of hints that this program was compiled with: those of all its packages that
/// have both a file and a compute function.
///
/// ```
/// // In a test of the program:
/// loom::hints::check()?;
/// # Ok::<(), loom::hints::HintsError>(())
/// ```
///
/// # Errors
///
/// If an entry matches no compute function (the error names the most similar path), or a value is
/// not a hint. Entries for crates that have no compute function in this program, such as the
/// package's other programs, are ignored: each program checks its own entries. A function that is
/// compiled under a condition is missing if the condition does not hold.
pub fn check() -> Result<(), HintsError> {
    let mut files: BTreeMap<&str, Vec<&Hinted>> = BTreeMap::new();
    for hinted in HINTED {
        files.entry(hinted.file).or_default().push(hinted);
    }
    let mut problems = Vec::new();
    for (file, functions) in files {
        let paths: Vec<String> = functions
            .iter()
            .map(|f| format!("{}::{}", f.module.replace("r#", ""), f.item))
            .collect();
        match functions[0].text.parse::<Table>() {
            Ok(table) => check_table("", &table, &paths, &mut |problem| {
                problems.push((PathBuf::from(file), problem));
            }),
            Err(error) => problems.push((PathBuf::from(file), error.to_string())),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(HintsError { problems }) }
}

/// Makes the text of a file of hints from a profile
/// ([`LoomBuilder::profile`](crate::LoomBuilder::profile)). Each function gets the hint that fits
/// its mean run time. If several functions share a path, or one has several sizes of input, the one with
/// most calls decides.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("loom-hints-{}", std::process::id()));
/// std::fs::write(&path, "shop::sum | shop::sum | any | 90% 5.2us, 10% 12us\n")?;
/// assert_eq!(loom::hints::from_profile(&path)?, "\"shop::sum\" = \"low\"\n");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`LoomError::Profile`] if the file cannot be read as a profile.
pub fn from_profile(path: impl AsRef<Path>) -> Result<String> {
    let profile = read(path.as_ref())?;
    // A file of hints cannot name closures.
    let hints =
        profile.hints().into_iter().filter(|(path, _)| !path.contains(['{', '<', ' ', '(']));
    let mut file = String::new();
    for (path, hint) in hints {
        // A write to a string does not fail.
        let _ = writeln!(file, "{path:?} = {:?}", word(hint));
    }
    Ok(file)
}

/// What is different between two profiles, one line for each function and size: those whose mean run time
/// has changed by a quarter or more, with their hints if these differ, and those that are in one alone.
/// Empty if there are none.
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let [old, new] = ["old", "new"].map(|name| folder.join(format!("loom-{name}-{}", std::process::id())));
/// std::fs::write(&old, "shop::sum | shop::sum | any | 100% 12us | 400 calls\n")?;
/// std::fs::write(&new, "shop::sum | shop::sum | any | 100% 60us | 300 calls\n")?;
/// let changes = loom::hints::profile_changes(&old, &new)?;
/// assert_eq!(changes, "shop::sum | any | 12us -> 60us (x5.00), hint low -> medium\n");
/// # std::fs::remove_file(&old)?;
/// # std::fs::remove_file(&new)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`LoomError::Profile`] if one of the files cannot be read as a profile.
pub fn profile_changes(old: impl AsRef<Path>, new: impl AsRef<Path>) -> Result<String> {
    Ok(read(old.as_ref())?.changes_to(&read(new.as_ref())?))
}

fn read(path: &Path) -> Result<Profile> {
    let problem = |problem: String| LoomError::Profile { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    Profile::parse(&text).map_err(problem)
}

fn word(hint: ComputeHint) -> String {
    format!("{hint:?}").to_lowercase()
}

fn crate_of(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

/// Reports each entry of `table` that is not a hint or matches none of `functions`.
fn check_table(above: &str, table: &Table, functions: &[String], report: &mut impl FnMut(String)) {
    const WORDS: [&str; 4] = ["low", "medium", "high", "unknown"];
    const EXPECTED: &str = "expected one of `low`, `medium`, `high`, `unknown`";
    for (key, value) in table {
        let path = if above.is_empty() { key.clone() } else { format!("{above}::{key}") };
        match value {
            Value::Table(below) => check_table(&path, below, functions, report),
            Value::String(word) if !WORDS.contains(&&**word) => {
                report(format!("`{path}` has the unknown hint `{word}`; {EXPECTED}"));
            }
            Value::String(_) if functions.contains(&path) => {}
            // It belongs to another program of the package.
            Value::String(_) if !functions.iter().any(|f| crate_of(f) == crate_of(&path)) => {}
            Value::String(_) => {
                let near = functions
                    .iter()
                    .max_by(|a, b| {
                        strsim::jaro_winkler(a, &path).total_cmp(&strsim::jaro_winkler(b, &path))
                    })
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                report(format!("no compute function has the path `{path}`{near}"));
            }
            _ => report(format!("`{path}` is not a hint; {EXPECTED}")),
        }
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn what_no_function_has_is_told_with_the_nearest() {
        let file = "\"other::sums\" = \"low\"\n\"shop::sums\" = \"low\"\n\"shop::sum\" = \"hot\"\n[shop.cart]\ntotal = \"high\"\nitems = 3";
        let table = file.parse::<Table>().expect("it is a table");
        let functions = ["shop::sum".to_owned(), "shop::cart::total".to_owned()];
        let mut problems = Vec::new();
        check_table("", &table, &functions, &mut |problem| problems.push(problem));
        problems.sort();
        let [no_hint, unknown, missing] = &problems[..] else { panic!("{problems:?}") };
        assert!(missing.contains("`shop::sums`; did you mean `shop::sum`?"), "{missing}");
        assert!(unknown.contains("unknown hint `hot`"), "{unknown}");
        assert!(no_hint.starts_with("`shop::cart::items` is not a hint"), "{no_hint}");
    }
}
