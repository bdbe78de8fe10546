use std::process::ExitCode;

#[loom::test]
async fn code() -> ExitCode {
    ExitCode::SUCCESS
}

#[loom::test(arm = "both")]
async fn boxed() -> Result<(), Box<dyn std::error::Error>> {
    Err("as told")?;
    Ok(())
}

fn main() {}
