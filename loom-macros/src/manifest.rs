//! By which name the crate that is compiled knows Loom, as its `Cargo.toml` says.
//!
//! A macro cannot ask the compiler. It reads as much of the file as it needs, line by line: what it
//! does not understand leaves the usual name, and the compiler judges.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

/// The package, and the name of its library.
const PACKAGE: &str = "loom-runtime";
const LIBRARY: &str = "loom";

/// What a manifest says of Loom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// It is `loom`, or may be.
    Usual,
    /// The dependency has this name.
    Renamed(String),
    /// There is no such dependency.
    Missing,
}

/// The name in the crate that is compiled.
pub(crate) fn name() -> Name {
    // A compiler compiles one crate; an editor's server expands for many.
    static LAST: Mutex<Option<(PathBuf, Name)>> = Mutex::new(None);
    let Some(folder) = env::var_os("CARGO_MANIFEST_DIR") else { return Name::Usual };
    let path = Path::new(&folder).join("Cargo.toml");
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, name)) = &*last
        && *of == path
    {
        return name.clone();
    }
    let name = fs::read_to_string(&path).map_or(Name::Usual, |text| find(&text));
    *last = Some((path, name.clone()));
    name
}

fn find(text: &str) -> Name {
    let (mut may_be_usual, mut renamed) = (false, None);
    // Whether the lines are dependencies, and the dependency that they describe.
    let (mut are_dependencies, mut described) = (false, None);
    let mut found = |name: &str, package: Option<&str>| match package {
        Some(PACKAGE) if name != LIBRARY => renamed = Some(name.replace('-', "_")),
        // Another library of that name.
        Some(package) if package != PACKAGE => {}
        _ => may_be_usual |= [PACKAGE, LIBRARY].contains(&name),
    };
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let (parent, last) = header.rsplit_once('.').unwrap_or_default();
            are_dependencies = is_dependencies(if parent.is_empty() { header } else { last });
            let parent = parent.rsplit('.').next().unwrap_or_default();
            described = is_dependencies(parent).then(|| bare(last));
            if let Some(name) = described {
                found(name, None);
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let name = bare(key.split('.').next().unwrap_or_default());
        if are_dependencies {
            let package = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
            found(name, package);
        } else if let Some(described) = described.filter(|_| name == "package") {
            found(described, Some(bare(value)));
        } else if name == "name" && bare(value) == PACKAGE {
            // Loom's own tests and examples.
            return Name::Usual;
        }
    }
    match renamed {
        Some(name) => Name::Renamed(name),
        None if may_be_usual => Name::Usual,
        None => Name::Missing,
    }
}

/// Whether a table has dependencies: `dependencies`, `dev-dependencies`, `build-dependencies`.
fn is_dependencies(table: &str) -> bool {
    bare(table).ends_with("dependencies")
}

fn bare(word: &str) -> &str {
    word.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(name: &str) -> Name {
        Name::Renamed(name.to_owned())
    }

    #[test]
    fn a_dependency_is_found_in_each_form() {
        for usual in [
            "[dependencies]\nloom-runtime = \"0.1\"",
            "[dependencies]\nloom-runtime = { path = \"x\", features = [\"full\"] }",
            "[dependencies]\nloom-runtime.workspace = true",
            "[dependencies]\nloom.workspace = true",
            "[dependencies]\nloom = { workspace = true }",
            "[dependencies]\nloom = { version = \"0.1\", package = \"loom-runtime\" }",
            "[dependencies.loom-runtime]\nversion = \"0.1\"",
            "[dependencies.loom]\npackage = \"loom-runtime\"",
            "[dev-dependencies]\n\"loom-runtime\" = '0.1'",
            "[target.'cfg(unix)'.dependencies]\nloom-runtime = \"0.1\"",
            "[target.'cfg(unix)'.dependencies.loom-runtime]\nversion = \"0.1\"",
            "[package]\nname = \"loom-runtime\"",
        ] {
            assert_eq!(find(usual), Name::Usual, "{usual}");
        }
        for other in [
            "[dependencies]\nfast = { package = \"loom-runtime\", version = \"0.1\" }",
            "[dependencies]\nfast={version=\"0.1\",package=\"loom-runtime\"}",
            "[dependencies]\nloom = \"0.7\"\nfast = { package = \"loom-runtime\" }",
            "[dependencies.fast]\nversion = \"0.1\"\npackage = \"loom-runtime\"",
            "[target.'cfg(unix)'.dependencies]\nfast = { package = \"loom-runtime\" }",
        ] {
            assert_eq!(find(other), renamed("fast"), "{other}");
        }
        let dashed = "[dependencies]\nmy-loom = { package = \"loom-runtime\" }";
        assert_eq!(find(dashed), renamed("my_loom"));
        for missing in [
            "[dependencies]\nfacade = \"1\"",
            "[package]\nname = \"loom\"\n[dependencies]\nfacade = { package = \"loom-facade\" }",
            "[features]\nloom = []\n[dependencies]\nfacade = \"1\"",
            "[dependencies]\nloom = { package = \"other\", version = \"1\" }",
            "# loom-runtime = \"0.1\"",
            "",
        ] {
            assert_eq!(find(missing), Name::Missing, "{missing}");
        }
    }
}
