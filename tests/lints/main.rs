//! Lints warn about an annotated function as they warn about the plain one.
//!
//! Clippy checks `cases.rs` three times: with the attribute, without it, and with every function
//! `async` instead. Each warning of the first check has to appear in one of the others, and each
//! warning of both others in the first, at the same place. Exceptions are named below.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CASES: &str = include_str!("cases.rs");
/// Lints that are allowed by default and check what people write, besides the default ones.
const LINTS: &str = "#![warn(clippy::pedantic, clippy::nursery, missing_docs, unreachable_pub, \
                     unused_qualifications, unused_results, unused_lifetimes, \
                     single_use_lifetimes, let_underscore_drop, missing_debug_implementations, clippy::shadow_same, clippy::shadow_reuse, clippy::shadow_unrelated)]";

/// Lints that clippy does not report for closures in a macro, where the body is.
const EXCEPT: &[&str] = &["clippy::needless_return", "clippy::many_single_char_names"];

/// Warnings: the lint, the line and the column of each.
type Warnings = BTreeSet<(String, u64, u64)>;

#[test]
fn lints_see_the_function_that_was_written() {
    let annotated = check("annotated", &CASES.replace("#[compute]", "#[loom::compute]"));
    // An attribute without effect, so that line numbers stay the same.
    let without = CASES.replace("#[compute]", "#[rustfmt::skip]");
    let plain = check("plain", &without);
    let is_async = without.replace("fn case_", "async fn case_");
    let is_async = check("is_async", &is_async);
    assert!(annotated.len() > 20, "clippy has looked: {annotated:?}");
    let lines: Vec<&str> = CASES.lines().collect();
    let mut differences = Vec::new();
    for (lint, line, _) in annotated.iter().filter(|found| !has(&plain, found)) {
        if !has_line(&is_async, lint, *line) {
            differences.push(format!("only with the attribute: {lint} at {line}"));
        }
    }
    for found @ (lint, line, _) in &plain {
        if has_line(&is_async, lint, *line) && !has(&annotated, found) && !EXCEPT.contains(&&**lint)
        {
            let code = lines[usize::try_from(*line).unwrap_or_default() - 2];
            differences.push(format!("not with the attribute: {lint} at {line}: {code}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn has(warnings: &Warnings, warning: &(String, u64, u64)) -> bool {
    warnings.contains(warning)
}

/// Compares lines alone, since `async` moves columns.
fn has_line(warnings: &Warnings, name: &str, row: u64) -> bool {
    warnings.iter().any(|(lint, at, _)| lint == name && *at == row)
}

/// The warnings of clippy about a crate with this code.
fn check(name: &str, code: &str) -> Warnings {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lints").join(name);
    fs::create_dir_all(folder.join("src")).expect("the folder can be made");
    let manifest = format!(
        "[workspace]\n[package]\nname = \"lints-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\nloom-runtime = {{ path = '{}' }}\nsuite-macros = {{ path = '{}' }}\n",
        root.join("loom-runtime").display(),
        root.join("tests/macros").display()
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("the file can be written");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the file can be copied");
    fs::write(folder.join("src/lib.rs"), format!("{LINTS}\n{code}")).expect("it can be written");
    let output = Command::new(env!("CARGO"))
        .args(["clippy", "--quiet", "--message-format=json", "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(".."))
        // Lints that are denied by default are warnings here.
        .args(["--", "--cap-lints=warn"])
        .current_dir(&folder)
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    let messages = String::from_utf8(output.stdout).expect("messages are text");
    messages.lines().filter_map(|line| warning(&serde_json::from_str(line).ok()?, name)).collect()
}

fn warning(message: &Value, name: &str) -> Option<(String, u64, u64)> {
    let target = message["target"]["name"].as_str()?;
    if target.replace('-', "_") != format!("lints_{name}") {
        return None;
    }
    let message = &message["message"];
    let lint = message["code"]["code"].as_str()?;
    let span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    Some((lint.to_owned(), span["line_start"].as_u64()?, span["column_start"].as_u64()?))
}
