//! A test may return what `main` may.

use std::process::ExitCode;

#[loom::test]
async fn code() -> ExitCode {
    ExitCode::SUCCESS
}

#[loom::test(arm = "both")]
async fn boxed() -> Result<(), Box<dyn std::error::Error>> {
    "1".parse::<u8>()?;
    Ok(())
}
