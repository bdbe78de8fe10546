//! Loom under another name, and behind another crate: small programs that cargo checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "
#[NAME::compute(ARGUMENTS)]
fn double(n: u32) -> u32 {
    n * 2
}

#[NAME::main(MAIN)]
async fn main() {
    assert_eq!(double(1).await, 2);
}
";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("crate_names").join(name)
}

/// Writes a package with these dependencies and this code.
fn write(name: &str, dependencies: &str, file: &str, code: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = folder(name);
    fs::create_dir_all(folder.join("src")).expect("the folder can be made");
    let dependencies =
        dependencies.replace("LOOM", &root.join("loom-runtime").display().to_string());
    let manifest = format!(
        "[workspace]\n[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\n{dependencies}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("the file can be written");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the file can be copied");
    fs::write(folder.join("src").join(file), code).expect("the file can be written");
}

/// Whether cargo accepts the package, and what it says.
fn check(name: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--target-dir"])
        // The folder of the workspace, which has most of what the package needs.
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(".."))
        .current_dir(folder(name))
        .output()
        .expect("cargo runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn program(name: &str, argument: &str) -> String {
    let main = if argument.is_empty() { "" } else { ", tokio_threads = 1" };
    PROGRAM
        .replace("NAME", name)
        .replace("ARGUMENTS", argument)
        .replace("MAIN", &format!("{argument}{main}"))
}

#[test]
fn the_attributes_find_loom_by_the_name_of_the_dependency() {
    write(
        "renamed",
        "fast-loom = { package = \"loom-runtime\", path = 'LOOM' }",
        "main.rs",
        &program("fast_loom", ""),
    );
    let (is_accepted, text) = check("renamed");
    assert!(is_accepted, "{text}");

    // Beside tokio's model checker, which is named `loom`.
    write(
        "renamed_beside",
        "loom = \"0.7\"\nfast-loom = { package = \"loom-runtime\", path = 'LOOM' }",
        "main.rs",
        &program("fast_loom", ""),
    );
    let (is_accepted, text) = check("renamed_beside");
    assert!(is_accepted, "{text}");
}

#[test]
fn behind_another_crate_the_argument_is_asked_for_and_is_enough() {
    write("facade", "loom-runtime = { path = 'LOOM' }", "lib.rs", "pub use loom;");
    let behind = "facade = { path = '../facade' }";
    write("behind", behind, "main.rs", &program("facade::loom", ""));
    let (is_accepted, text) = check("behind");
    assert!(!is_accepted);
    let asked = text.matches("crate = that_crate::loom").count();
    assert_eq!(asked, 2, "once for each attribute, and nothing else: {text}");
    assert!(!text.contains("E0433"), "{text}");

    // The model checker has the name, which the attributes must not take for theirs.
    let beside = format!("{behind}\nloom = \"0.7\"");
    write("beside", &beside, "main.rs", &program("facade::loom", ""));
    let (is_accepted, text) = check("beside");
    assert!(!is_accepted);
    assert_eq!(text.matches("`loom` is another package").count(), 2, "{text}");
    assert!(!text.contains("E0433"), "{text}");

    write("behind_and_said", behind, "main.rs", &program("facade::loom", "crate = facade::loom"));
    let (is_accepted, text) = check("behind_and_said");
    assert!(is_accepted, "{text}");
}
