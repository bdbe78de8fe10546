//! `main` may return a code.

use std::process::ExitCode;

#[loom::main]
async fn main() -> ExitCode {
    if loom::current_runtime().is_none() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[test]
fn runs() {
    assert_eq!(main(), ExitCode::SUCCESS);
}
