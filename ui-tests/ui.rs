//! The exact text of what the attributes refuse. What they accept is in `tests/accepted`.
//!
//! The compiler's own text around Loom's messages changes between compiler versions, so the texts
//! are compared with one version alone. After a wanted change, `TRYBUILD=overwrite cargo test
//! --package suite-ui` updates the files.

use std::process::Command;

/// The compiler that wrote the `.stderr` files.
const PINNED: &str = "rustc 1.95.0 ";

#[test]
fn attributes_refuse_what_is_written_down() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("the compiler runs").stdout;
    if version.starts_with(PINNED.as_bytes()) {
        trybuild::TestCases::new().compile_fail("fail/*/*.rs");
    } else {
        println!("the texts of errors are compared on {PINNED}alone");
    }
}
