use std::process::{ExitCode, Termination};

#[loom::main]
async fn main() -> impl Termination {
    if loom::current_runtime().is_none() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
