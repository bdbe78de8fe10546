//! `main` may return a type without a name, if a process may end with it.

use std::process::{ExitCode, Termination};

#[loom::main]
async fn main() -> impl Termination {
    if loom::current_runtime().is_none() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[test]
fn runs() {
    assert_eq!(main().report(), ExitCode::SUCCESS);
}
