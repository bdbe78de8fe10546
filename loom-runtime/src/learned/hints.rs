//! Hints from outside the code: `loom-hints.toml` beside a program's `Cargo.toml`.
//!
//! It maps item paths to hints, so that what was learned in one place is known in another without a
//! change of code:
//!
//! ```toml
//! "shop::images::resize" = "high"
//! "shop::cart::total" = "low"
//! ```
//!
//! A path is the module's and the function's name, without types: `shop::cart::total` for
//! `Cart::total`, and all methods of that name in the module share the hint. It begins with the
//! name of the crate, which for `src/main.rs` is the package's. Tables below tables say the same
//! (`[shop.images]`, `resize = "high"`). A `hint` in the code wins over the file, and a `key`
//! changes nothing about the path. The environment variable `LOOM_HINTS` names a file in place of
//! that one, from the folder of the package.
//!
//! A changed file has the package compiled again. An added one is not noticed until
//! the package is compiled for another reason, for example after `touch src/main.rs`. Without the
//! feature `hints` no file is read.
//!
//! [`check`] reports entries that match no function; call it in a test.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::{LoomError, Result};
use crate::scheduler::{ComputeHint, Profile};

/// One function of a package that has a file of hints.
#[doc(hidden)]
#[derive(Debug)]
pub struct Hinted {
    /// Where it is.
    pub module: &'static str,
    /// Its name.
    pub item: &'static str,
    /// The file.
    pub file: &'static str,
    /// What is in that.
    pub text: &'static str,
}

/// All of them, as the linker finds them.
#[doc(hidden)]
#[linkme::distributed_slice]
pub static HINTED: [Hinted];

/// What is wrong with files of hints.
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

/// The same, since that is what a test prints that gives it up with `?`.
impl fmt::Debug for HintsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for HintsError {}

/// Looks through the files of hints that this program was compiled with, of all its packages that
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
/// Entries that no compute function has, each with the nearest one that there is, and words that
/// are no hints. Entries for crates that have no compute function in this program, such as the
/// package's other programs, are passed over: each program checks its own. A function that is
/// compiled under a condition only is missing where that does not hold.
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
            Ok(table) => look("", &table, &paths, &mut |problem| {
                problems.push((PathBuf::from(file), problem));
            }),
            Err(error) => problems.push((PathBuf::from(file), error.to_string())),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(HintsError { problems }) }
}

/// A file of hints, from what a runtime has learned and kept
/// ([`LoomBuilder::profile`](crate::LoomBuilder::profile)): each function with the hint that goes
/// with its mean run time. Of functions that share a path the longest counts.
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
/// [`LoomError::Profile`] where the file cannot be read as a profile.
pub fn from_profile(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let problem = |problem: String| LoomError::Profile { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    let profile = Profile::parse(&text).map_err(problem)?;
    // Closures are in no path that a file could name.
    let hints = profile.hints().into_iter().filter(|(path, _)| !path.contains(['{', '<', ' ']));
    let mut file = String::new();
    for (path, hint) in hints {
        // Writing to a string does not fail.
        let _ = writeln!(file, "{path:?} = {:?}", word(hint));
    }
    Ok(file)
}

fn word(hint: ComputeHint) -> String {
    format!("{hint:?}").to_lowercase()
}

fn crate_of(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

fn look(above: &str, table: &Table, functions: &[String], tell: &mut impl FnMut(String)) {
    const WORDS: [&str; 4] = ["low", "medium", "high", "unknown"];
    const EXPECTED: &str = "expected one of `low`, `medium`, `high`, `unknown`";
    for (key, value) in table {
        let path = if above.is_empty() { key.clone() } else { format!("{above}::{key}") };
        match value {
            Value::Table(below) => look(&path, below, functions, tell),
            Value::String(word) if !WORDS.contains(&&**word) => {
                tell(format!("`{path}` has the unknown hint `{word}`; {EXPECTED}"));
            }
            Value::String(_) if functions.contains(&path) => {}
            // Of another program of the package.
            Value::String(_) if !functions.iter().any(|f| crate_of(f) == crate_of(&path)) => {}
            Value::String(_) => {
                let near = functions
                    .iter()
                    .max_by(|a, b| {
                        strsim::jaro_winkler(a, &path).total_cmp(&strsim::jaro_winkler(b, &path))
                    })
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                tell(format!("no compute function has the path `{path}`{near}"));
            }
            _ => tell(format!("`{path}` is no hint; {EXPECTED}")),
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
        let mut told = Vec::new();
        look("", &table, &functions, &mut |problem| told.push(problem));
        told.sort();
        let [no_hint, unknown, missing] = &told[..] else { panic!("{told:?}") };
        assert!(missing.contains("`shop::sums`; did you mean `shop::sum`?"), "{missing}");
        assert!(unknown.contains("unknown hint `hot`"), "{unknown}");
        assert!(no_hint.starts_with("`shop::cart::items` is no hint"), "{no_hint}");
    }
}
