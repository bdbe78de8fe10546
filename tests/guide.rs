//! The attributes' pages describe every error of the attributes, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Files in which the errors are the compiler's own lints.
const ABOUT_LINTS: &[&str] =
    &["lints.stderr", "dead_code.stderr", "missing_docs.stderr", "await_unused.stderr"];

/// The first column of the table of errors, without backticks.
fn phrases(attribute: &str) -> Vec<String> {
    let path = Path::new(ROOT).join("loom-macros/docs").join(format!("{attribute}.md"));
    let page = fs::read_to_string(path).expect("the page is there");
    let (_, refused) = page.split_once("# What it refuses\n").expect("it has a table of errors");
    let rows = refused.lines().filter(|line| line.starts_with("| `"));
    let phrases: Vec<String> = rows
        .flat_map(|row| {
            let errors = row[2..].split(" | ").next().unwrap_or_default();
            errors.split("`, `").map(|error| error.trim().trim_matches('`').to_owned())
        })
        .collect();
    assert!(phrases.len() > 8, "{phrases:?}");
    phrases
}

/// Every message in the cases of an attribute, and whether Loom's macro wrote it.
fn messages(attribute: &str) -> BTreeSet<(bool, String)> {
    let folder = Path::new(ROOT).join("ui-tests/fail").join(attribute);
    let mut messages = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "stderr") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("it is text");
        for line in text.lines() {
            let is_ours = line.starts_with("error: ") && !ABOUT_LINTS.contains(&&*name);
            if is_ours || line.starts_with("error[") {
                messages.insert((is_ours, line.replace('`', "")));
            }
        }
    }
    messages
}

#[test]
fn every_error_of_a_page_is_one_and_every_error_is_on_a_page() {
    let mut missing = Vec::new();
    for attribute in ["compute", "main", "test"] {
        let (phrases, messages) = (phrases(attribute), messages(attribute));
        for phrase in &phrases {
            if !messages.iter().any(|(_, message)| message.contains(phrase.as_str())) {
                missing.push(format!("{attribute}: no case says `{phrase}`"));
            }
        }
        // Errors that all attributes share are on the page of `main`.
        let of_all = self::phrases("main");
        for (_, message) in messages.iter().filter(|(is_ours, _)| *is_ours) {
            if !phrases.iter().chain(&of_all).any(|phrase| message.contains(phrase.as_str())) {
                missing.push(format!("{attribute}: not on its page: {message}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
