//! Hints from outside the code: `loom-hints.toml` beside a program's `Cargo.toml`.
//!
//! It maps item paths to hints, so that what was learned in one place is known in another, and
//! nobody has to change code for it:
//!
//! ```toml
//! "shop::images::resize" = "high"
//! "shop::cart::total" = "low"
//! ```
//!
//! A path is the module's and the function's name; of a method, the module's and the method's
//! name. Tables below tables say the same (`[shop.images]`, `resize = "high"`). A `hint` in the
//! code counts more. The environment variable `LOOM_HINTS` names another file, from the folder of
//! the package. A file that is changed has the package compiled anew; one that was not there when
//! it was last compiled is found the next time.
//!
//! [`check`] tells of entries that no function has; put it in a test.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use toml::{Table, Value};

use crate::__private::{HINTED, Hinted};

/// What is wrong with files of hints.
#[derive(Clone, Debug, PartialEq, Eq)]
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
/// Entries that no compute function of the program has, each with the nearest one that there is,
/// and words that are no hints. A function that is compiled under a condition only is missing
/// where that does not hold.
pub fn check() -> Result<(), HintsError> {
    let mut files: BTreeMap<&str, Vec<&Hinted>> = BTreeMap::new();
    for hinted in HINTED {
        files.entry(hinted.file).or_default().push(hinted);
    }
    let mut problems = Vec::new();
    for (file, functions) in files {
        let paths: Vec<String> =
            functions.iter().map(|f| format!("{}::{}", f.module, f.item)).collect();
        match functions[0].text.parse::<Table>() {
            Ok(table) => look("", &table, &paths, &mut |problem| {
                problems.push((PathBuf::from(file), problem));
            }),
            Err(error) => problems.push((PathBuf::from(file), error.to_string())),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(HintsError { problems }) }
}

fn look(above: &str, table: &Table, functions: &[String], tell: &mut impl FnMut(String)) {
    const WORDS: [&str; 4] = ["low", "medium", "high", "unknown"];
    for (key, value) in table {
        let path = if above.is_empty() { key.clone() } else { format!("{above}::{key}") };
        match value {
            Value::Table(below) => look(&path, below, functions, tell),
            Value::String(word) if !WORDS.contains(&&**word) => {
                tell(format!("`{path}` has the unknown hint `{word}`; expected one of {WORDS:?}"));
            }
            Value::String(_) if functions.contains(&path) => {}
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
            _ => tell(format!("`{path}` is no hint; expected one of {WORDS:?}")),
        }
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn what_no_function_has_is_told_with_the_nearest() {
        let file = "\"shop::sums\" = \"low\"\n\"shop::sum\" = \"hot\"\n[shop.cart]\ntotal = \"high\"\nitems = 3";
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
