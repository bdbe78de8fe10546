//! `main` may return what ends a process, without a name of its type.

use std::process::{ExitCode, Termination};

#[loom::main]
async fn main() -> impl Termination {
    if loom::current_runtime().is_none() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[test]
fn runs() {
    assert_eq!(main().report(), ExitCode::SUCCESS);
}
