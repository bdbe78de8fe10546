//! By which name the crate that is compiled knows Loom, as its `Cargo.toml` says.
//!
//! A macro cannot ask the compiler. It looks for a dependency that is renamed in a plain way, on one
//! line or in a table of its own. Whatever else there is leaves the usual name, and the compiler judges.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

/// The package, and the name of its library.
const PACKAGE: &str = "loom-runtime";
const LIBRARY: &str = "loom";

/// What the manifests say of Loom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// It is `loom`, or may be.
    Usual,
    /// The dependency has this name.
    Renamed(String),
    /// The word `loom` is in none of them.
    Missing,
    /// Another package has the name `loom`, as tokio's model checker does.
    Taken,
}

/// The name in the crate that is compiled.
pub(crate) fn name() -> Name {
    // A compiler compiles one crate; an editor's server expands for many.
    static LAST: Mutex<Option<(PathBuf, Name)>> = Mutex::new(None);
    let Some(folder) = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) else {
        return Name::Usual;
    };
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, name)) = &*last
        && *of == folder
    {
        return name.clone();
    }
    let name = of(&folder);
    *last = Some((folder, name.clone()));
    name
}

fn of(folder: &Path) -> Name {
    let read = |folder: &Path| fs::read_to_string(folder.join("Cargo.toml")).ok();
    let Some(own) = read(folder) else { return Name::Usual };
    if let Some(name) = renamed(&own) {
        return Name::Renamed(name);
    }
    if is_taken(&own) {
        return Name::Taken;
    }
    let is_named = |text: &str| text.contains(LIBRARY);
    // Its workspace may have the dependency's details.
    let is_root = |text: &String| text.contains("[workspace");
    let mut above = folder.ancestors().skip(1).filter_map(read);
    let root = if is_root(&own) { None } else { above.find(is_root) };
    let may_be_there = is_named(&own) || root.is_some_and(|root| is_named(&root));
    if may_be_there { Name::Usual } else { Name::Missing }
}

/// The one name that the package is given, unless it also has its own.
fn renamed(text: &str) -> Option<String> {
    let mut names = names_of(text, PACKAGE);
    let name = names.pop().filter(|_| names.is_empty())?.replace('-', "_");
    let is_usual = [PACKAGE.replace('-', "_").as_str(), LIBRARY].contains(&name.as_str());
    (!is_usual && syn::parse_str::<syn::Ident>(&name).is_ok()).then_some(name)
}

/// Whether the name `loom` is that of the package `loom`, and Loom itself is not mentioned.
fn is_taken(text: &str) -> bool {
    names_of(text, LIBRARY).contains(&LIBRARY) && !text.contains(PACKAGE)
}

/// The names of the dependencies on a package.
fn names_of<'a>(text: &'a str, package: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    // Whether the lines are dependencies, and the one that they describe.
    let (mut are_dependencies, mut described) = (false, None);
    for line in text.lines().map(without_comment) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let (parent, last) = header.rsplit_once('.').unwrap_or(("", header));
            let of_workspace = header.starts_with("workspace");
            are_dependencies = !of_workspace && is_dependencies(last);
            let is_parent = is_dependencies(parent.rsplit('.').next().unwrap_or_default());
            described = (!of_workspace && is_parent).then(|| unquoted(last));
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (unquoted(key), value.trim());
        if are_dependencies {
            let table = value.strip_prefix('{').and_then(|value| value.strip_suffix('}'));
            // The workspace may give a name to another package, and is not read here.
            let is_own =
                key == PACKAGE || table.is_none_or(|table| value_of("workspace", table).is_none());
            let of = table.and_then(|table| value_of("package", table)).or(is_own.then_some(key));
            names.extend((of == Some(package)).then_some(key));
        } else if let Some(described) = described
            && key == "package"
            && unquoted(value) == package
        {
            names.push(described);
        }
    }
    names
}

/// Whether a table has dependencies of the crate itself.
fn is_dependencies(table: &str) -> bool {
    ["dependencies", "dev-dependencies"].contains(&unquoted(table))
}

/// The value of a key in an inline table.
fn value_of<'a>(wanted: &str, table: &'a str) -> Option<&'a str> {
    let mut rest = table;
    loop {
        let (key, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let end = end_of_value(value);
        if unquoted(key) == wanted {
            return Some(unquoted(&value[..end]));
        }
        rest = value[end..].trim_start().strip_prefix(',')?;
    }
}

/// Where a value ends: at a comma outside of quotes and brackets.
fn end_of_value(text: &str) -> usize {
    let (mut quote, mut depth) = (None, 0_usize);
    text.char_indices()
        .find(|&(_, c)| {
            match (quote, c) {
                (Some(open), _) => quote = (open != c).then_some(open),
                (None, '"' | '\'') => quote = Some(c),
                (None, '[' | '{') => depth += 1,
                (None, ']' | '}') => depth = depth.saturating_sub(1),
                (None, ',') => return depth == 0,
                (None, _) => {}
            }
            false
        })
        .map_or(text.len(), |(at, _)| at)
}

/// The line without its comment and the space around it.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let comment = line.char_indices().find(|&(_, c)| {
        match (quote, c) {
            (Some(open), _) => quote = (open != c).then_some(open),
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => return true,
            (None, _) => {}
        }
        false
    });
    line[..comment.map_or(line.len(), |(at, _)| at)].trim()
}

fn unquoted(word: &str) -> &str {
    word.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_taken_where_another_package_has_it_and_loom_is_not_there() {
        for taken in [
            "[dependencies]\nfacade = \"1\"\nloom = \"0.7\"",
            "[target.'cfg(loom)'.dependencies]\nloom = { version = \"0.7\", features = [\"checkpoint\"] }",
            "[dev-dependencies]\nloom = { package = \"loom\", version = \"0.7\" }",
        ] {
            assert!(is_taken(taken), "{taken}");
        }
        for not in [
            "[dependencies]\nloom = { package = \"loom-runtime\", version = \"0.1\" }",
            "[dependencies]\nloom-runtime = \"0.1\"\n[dev-dependencies]\nloom = \"0.7\"",
            "[dependencies]\nloom-runtime.workspace = true\n[dev-dependencies]\nloom = \"0.7\"",
            "[dependencies]\nloom_model = { package = \"loom\", version = \"0.7\" }",
            "[dependencies]\nloom.workspace = true",
            "[dependencies]\nloom = { workspace = true }",
            "[workspace.dependencies]\nloom = \"0.7\"",
            "[features]\nloom = \"0.7\"",
        ] {
            assert!(!is_taken(not), "{not}");
        }
    }

    #[test]
    fn a_name_is_used_where_the_package_is_renamed_and_only_there() {
        for plain in [
            "[dependencies]\nfast = { package = \"loom-runtime\", version = \"0.1\" }",
            "[dependencies]\nfast={version='0.1',package='loom-runtime'} # loom = \"0.1\"",
            "[dependencies]\r\n\tfast = { path = \"../packages/x\", package = \"loom-runtime\" }\r\n",
            "[dependencies]\nfast = { features = [\"a\", \"b\"], \"package\" = \"loom-runtime\" }",
            "[dependencies]\nloom = \"0.7\"\nfast = { package = \"loom-runtime\" }",
            "[dependencies.fast]\nversion = \"0.1\"\npackage = \"loom-runtime\" # renamed",
            "[dev-dependencies]\nfast = { package = \"loom-runtime\" }",
            "[target.'cfg(unix)'.dependencies]\nfast = { package = \"loom-runtime\" }",
            "[target.'cfg(unix)'.dependencies.fast]\npackage = \"loom-runtime\"",
        ] {
            assert_eq!(renamed(plain).as_deref(), Some("fast"), "{plain}");
        }
        let dashed = "[dependencies]\nmy-loom = { package = \"loom-runtime\" }";
        assert_eq!(renamed(dashed).as_deref(), Some("my_loom"));
        for other in [
            "[dependencies]\nloom-runtime = \"0.1\"",
            "[dependencies]\nloom-runtime.workspace = true",
            "[dependencies]\nloom-runtime = { path = \"../packages/loom-runtime\" }",
            "[dependencies]\nloom = { package = 'loom-runtime' }",
            "[dependencies]\nfast = \"1\"\n# fast = { package = \"loom-runtime\" }",
            "[dependencies]\nloom-runtime = \"0.1\"\n# loom = { package = \"loom-runtime\" }",
            "[dependencies]\nfast = { path = \"package = loom-runtime\" }",
            "[dependencies]\nfast = { git = \"x?package=\", version = \"loom-runtime\" }",
            "[build-dependencies]\nfast = { package = \"loom-runtime\" }",
            "[workspace.dependencies]\nfast = { package = \"loom-runtime\" }",
            "[workspace.dependencies.fast]\npackage = \"loom-runtime\"",
            "[dependencies]\nfast.workspace = true",
            "[dependencies]\n1fast = { package = \"loom-runtime\" }",
            // Two versions, of which the usual name may be meant.
            "[dependencies]\nloom-runtime = \"2\"\n[dev-dependencies]\nold = { package = \"loom-runtime\" }",
            "[dependencies]\nold = { package = \"loom-runtime\" }\nnew = { package = \"loom-runtime\" }",
            // Forms that are left to the compiler.
            "[dependencies]\nfast.package = \"loom-runtime\"",
            "[dependencies]\nfast = { features = [\n\"full\",\n], package = \"loom-runtime\" }",
            "",
        ] {
            assert_eq!(renamed(other), None, "{other}");
        }
    }
}
