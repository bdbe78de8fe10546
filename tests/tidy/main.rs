//! The house rules that a program can check.
//!
//! Most tests read the sources as text and name the file and line of every breach; `rooms` reads
//! them as code.

mod breaches;
mod modules;
mod orders;
mod pages;
mod rooms;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rooms::House;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The rooms that may name tokio and rayon; those below know neither.
const KNOW_TOKIO: &[&str] = &[
    "call",
    "config",
    "core",
    "dashboard",
    "guest",
    "learned",
    "local",
    "observe",
    "plugin",
    "plugin_host",
    "runtime",
    "threads",
    "fleet",
    "tower",
];
/// Where unsafe code may stand; everything else denies it.
const MAY_BE_UNSAFE: &[&str] = &[
    "pool/",
    "bridge/",
    "boundary/",
    "executor/task/",
    "topology/os/",
    // Functions whose contract is their caller's, and goes on to `boundary/`.
    "plugin_host/library.rs",
];
/// Where a sleep is what is made, or what is tested, and nobody waits by it for something else.
const MAY_SLEEP: &[&str] = &[
    "loom-runtime/src/plugin_host/requests.rs",
    "loom-runtime/src/threads/pace.rs",
    "tests/plugins/cases/src/facilities.rs",
];
const LONGEST_FILE: usize = 400;
const MOST_PACKAGES: usize = 40;
/// In words: it is read in one sitting.
const LONGEST_ARCHITECTURE: usize = 2500;

/// A source file: its path below the root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines that are code and not of a test module, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_file = self.path.ends_with("/tests.rs");
        self.lines()
            .take_while(move |(_, line)| !is_test_file && !starts_tests(line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }

    /// `path:line: line` of each line that breaks a rule.
    fn breaches<'a>(
        &'a self,
        lines: impl Iterator<Item = (usize, &'a str)>,
        breaks: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let broken = lines.filter(|(_, line)| breaks(line));
        broken.map(|(n, line)| format!("{}:{n}: {}", self.path, line.trim())).collect()
    }
}

fn starts_tests(line: &str) -> bool {
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test")
}

/// Every file below `folder` whose name ends so, except what is built or vendored.
fn sources(folder: &str, ending: &str) -> Vec<Source> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&Path::new(ROOT).join(folder), ending, &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "there are {ending} files in {folder}");
    let relative = |path: &Path| path.strip_prefix(ROOT).expect("below the root").to_path_buf();
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).expect("the file is text"),
        path: relative(&path).to_string_lossy().replace('\\', "/"),
    };
    paths.into_iter().map(read).collect()
}

fn runtime_sources() -> Vec<Source> {
    sources("loom-runtime/src", ".rs")
}

/// The module of the runtime that a file belongs to.
fn module(source: &Source) -> &str {
    let below = source.path.strip_prefix("loom-runtime/src/").unwrap_or_default();
    below.split(['/', '.']).next().unwrap_or_default()
}

#[track_caller]
fn none(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n{}", breaches.join("\n"));
}

/// The files of a crate by their paths below its `src`.
fn crate_files(package: &str) -> BTreeMap<String, String> {
    let folder = format!("{package}/src");
    let below = |source: Source| {
        let path = source.path.strip_prefix(&folder).unwrap_or_default();
        (path.trim_start_matches('/').to_owned(), source.text)
    };
    sources(&folder, ".rs").into_iter().map(below).collect()
}

#[test]
fn rooms_name_only_rooms_below_and_none_is_too_large() {
    let files = crate_files("loom-runtime");
    let house = House { root: "lib.rs", files: &files, circles: rooms::CIRCLES };
    none("an arrow that does not go down", &house.arrows(rooms::FLOORS));
    none("files in a circle", &house.circles());
    none("too large", &house.sizes());
}

#[test]
fn the_macros_and_the_benches_have_no_circles() {
    for (package, root) in [("loom-macros", "lib.rs"), ("benches", "main.rs")] {
        let files = crate_files(package);
        let house = House { root, files: &files, circles: &[] };
        none(package, &house.circles());
    }
}

#[test]
fn rooms_below_name_neither_tokio_nor_rayon() {
    let mut breaches = Vec::new();
    for source in runtime_sources().iter().filter(|source| !KNOW_TOKIO.contains(&module(source))) {
        breaches.extend(source.breaches(source.code(), |line| {
            ["tokio::", "rayon::", "tokio_util::"].iter().any(|name| line.contains(name))
        }));
    }
    none("tokio or rayon is named in a room that must not know it", &breaches);
}

#[test]
fn sync_is_the_only_door_to_atomics_and_threads() {
    let mut breaches = Vec::new();
    for source in runtime_sources().iter().filter(|source| module(source) != "sync") {
        breaches.extend(source.breaches(source.code(), |line| {
            // The number of CPUs is a fact, not a thread.
            let is_thread = line.contains("std::thread") && !line.contains("available_parallelism");
            line.contains("std::sync") || is_thread
        }));
    }
    none("atomics, locks or threads that a model checker could not replace", &breaches);
}

#[test]
fn unsafe_code_stays_in_its_modules_and_cites_a_rule() {
    let mut breaches = Vec::new();
    for source in runtime_sources() {
        let below = source.path.strip_prefix("loom-runtime/src/").unwrap_or_default();
        let is_unsafe = |line: &str| line.contains("unsafe {") || line.contains("unsafe fn");
        if !MAY_BE_UNSAFE.iter().any(|place| below.starts_with(place)) {
            breaches.extend(source.breaches(source.code(), is_unsafe));
        }
        // A rule is a capital letter and a number, and is stated as `Rule X1:` or `**X1.**`.
        let beside = |name| Path::new(ROOT).join(&source.path).with_file_name(name);
        let read = |name| fs::read_to_string(beside(name)).unwrap_or_default();
        let rules = read("README.md") + &read("mod.rs") + &source.text;
        breaches.extend(source.breaches(source.lines(), |line| {
            let Some((_, reason)) = line.split_once("// SAFETY:") else { return false };
            let mut words = reason.split(|c: char| !c.is_alphanumeric());
            !words.any(|word| {
                rules.contains(&format!("Rule {word}:")) || rules.contains(&format!("**{word}.**"))
            })
        }));
    }
    none("unsafe code outside of its modules, or a SAFETY note without a stated rule", &breaches);
}

#[test]
fn nothing_is_left_unfinished_or_silenced() {
    // Written in halves, since this file is read as well.
    let banned = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore"),
        concat!("```ig", "nore"),
        concat!("```no_", "run"),
        concat!("allow(un", "used)"),
        concat!("db", "g!("),
    ];
    let mut breaches = Vec::new();
    for folder in ["loom-runtime", "loom-macros", "loom-abi", "examples", "tests", "benches"] {
        for source in sources(folder, ".rs") {
            breaches.extend(source.breaches(source.lines(), |line| {
                banned.iter().any(|banned| line.contains(banned))
            }));
        }
    }
    none("unfinished or silenced", &breaches);
}

#[test]
fn libraries_do_not_unwrap_and_their_names_say_something() {
    let mut breaches = Vec::new();
    for folder in ["loom-runtime/src", "loom-macros/src", "loom-abi/src"] {
        for source in sources(folder, ".rs") {
            breaches.extend(source.breaches(source.code(), |line| {
                let vague = ["Manager", "Helper", "Util "].iter().any(|word| line.contains(word));
                line.contains(".unwrap()") || line.contains("fn get_") || vague
            }));
        }
    }
    none("an unwrap, a getter's prefix, or a name that says nothing", &breaches);
}

#[test]
fn tests_wait_for_events_not_for_time() {
    let mut breaches = Vec::new();
    for folder in ["tests", "loom-runtime/src", "loom-macros/src"] {
        for source in sources(folder, ".rs") {
            if MAY_SLEEP.contains(&source.path.as_str()) {
                continue;
            }
            breaches.extend(source.breaches(source.lines(), |line| {
                [concat!("thread::sle", "ep"), concat!("time::sle", "ep")]
                    .iter()
                    .any(|sleep| line.contains(sleep))
            }));
        }
    }
    none("a test or a library sleeps", &breaches);
}

#[test]
fn files_know_their_room_and_say_what_they_own() {
    let mut breaches = Vec::new();
    for folder in ["loom-runtime", "loom-macros", "loom-abi", "examples", "tests", "benches"] {
        for source in sources(folder, ".rs") {
            let lines = source.text.lines().count();
            if lines > LONGEST_FILE {
                breaches.push(format!("{}: {lines} lines", source.path));
            }
            if !source.text.starts_with("//!") {
                breaches.push(format!("{}: does not begin with what it owns", source.path));
            }
        }
    }
    none("files that are too long or say nothing of themselves", &breaches);
}

#[test]
fn markdown_has_one_sentence_a_line() {
    /// A full stop between two sentences, not one of an abbreviation.
    fn ends_within(line: &str) -> bool {
        line.match_indices(". ").any(|(at, stop)| {
            let before = line[..at].rsplit([' ', '(']).next().unwrap_or_default();
            let after = line[at + stop.len()..].chars().next();
            let abbreviated = before.contains('.') || before.len() < 2;
            after.is_some_and(char::is_uppercase) && !abbreviated
        })
    }
    let mut breaches = Vec::new();
    for source in sources(".", ".md") {
        let mut in_code = false;
        let prose = source.lines().filter(|(_, line)| {
            in_code ^= line.trim_start().starts_with("```");
            !in_code && !line.starts_with('|')
        });
        breaches.extend(source.breaches(prose, ends_within));
    }
    none("more than one sentence on a line", &breaches);
}

#[test]
fn every_member_shares_the_lints_and_every_dependency_has_its_reason() {
    let architecture = read("ARCHITECTURE.md");
    let mut breaches = Vec::new();
    let workspace = read("Cargo.toml");
    let (_, members) = workspace.split_once("\nmembers = [").expect("there are members");
    let (members, _) = members.split_once(']').expect("the list ends");
    let members = members.split('"').skip(1).step_by(2).map(|member| format!("{member}/"));
    for member in [String::new()].into_iter().chain(members) {
        let manifest = read(&format!("{member}Cargo.toml"));
        if !manifest.contains("[lints]\nworkspace = true") {
            breaches.push(format!("{member}Cargo.toml: does not share the workspace's lints"));
        }
        let mut in_dependencies = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]") && !line.contains("workspace");
                continue;
            }
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            let is_dependency = in_dependencies && !name.is_empty() && !name.starts_with('#');
            if is_dependency && !architecture.contains(&format!("`{name}`")) {
                breaches.push(format!("{member}Cargo.toml: `{name}` is not in ARCHITECTURE.md"));
            }
        }
    }
    none("manifests", &breaches);
}

#[test]
fn every_refusal_has_its_words_and_every_word_its_case() {
    let path = |source: &Source| source.path.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    let cases: Vec<_> = sources("ui-tests/fail", ".rs").iter().filter_map(path).collect();
    let words: Vec<_> = sources("ui-tests/fail", ".stderr").iter().filter_map(path).collect();
    assert_eq!(cases, words);
}

#[test]
fn the_architecture_is_short_and_names_files_that_exist() {
    let text = read("ARCHITECTURE.md");
    let words = text.split_whitespace().count();
    assert!(words <= LONGEST_ARCHITECTURE, "ARCHITECTURE.md has {words} words");
    let files: Vec<_> = [".rs", ".md"].iter().flat_map(|ending| sources(".", ending)).collect();
    let is_file = |name: &str| [".rs", ".md"].iter().any(|ending| name.ends_with(ending));
    let mut breaches = Vec::new();
    for name in text.split('`').skip(1).step_by(2).filter(|name| is_file(name)) {
        let exists = files.iter().any(|file| {
            let path = file.path.trim_start_matches("./");
            path == name || path.ends_with(&format!("/{name}"))
        });
        if !exists {
            breaches.push(format!("ARCHITECTURE.md names `{name}`, which does not exist"));
        }
    }
    none("files that do not exist", &breaches);
}

#[test]
fn the_changelog_has_a_place_for_what_comes_next() {
    assert!(read("CHANGELOG.md").contains("\n## [Unreleased]\n"));
}

#[test]
fn the_default_features_stay_small() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-e", "normal", "-p", "loom-runtime", "--prefix", "none"])
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("names are text");
    let mut packages: Vec<_> =
        tree.lines().filter_map(|line| line.split(" (").next()).filter(|p| !p.is_empty()).collect();
    packages.sort_unstable();
    packages.dedup();
    assert!(packages.len() > 10, "the tree was read: {packages:?}");
    assert!(packages.len() <= MOST_PACKAGES, "{}: {packages:?}", packages.len());
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("the file is in the repository")
}
