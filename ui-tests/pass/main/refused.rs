//! A runtime that cannot be built: one clear line, and a code that says so.

use std::process::Command;

/// Not a literal, so it is the builder that refuses it.
const NONE: usize = 0;

#[loom::main(tokio_threads = NONE)]
async fn refused() {
    unreachable!("there is no runtime to run this on");
}

fn main() {
    const INNER: &str = "RUN_THE_REFUSED_MAIN";
    if std::env::var_os(INNER).is_some() {
        refused();
        unreachable!("it ends the process");
    }
    let program = std::env::current_exe().expect("a program knows where it is");
    let output = Command::new(program).env(INNER, "1").output().expect("it runs once more");
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).expect("it is text");
    assert_eq!(
        errors,
        "error: `tokio_threads` is 0 (set in code); expected a whole number from 1 to 8192, or \
         leave it out for the default\n"
    );
}
