//! What `#[loom::main]` accepts.

mod command_line;
mod current_thread;
mod drains;
mod exit_code;
mod expressions;
pub mod lints;
mod local_cores;
mod never;
mod opaque_result;
mod other_functions;
mod own_name;
mod refused;
mod result;
mod settings;

use std::process::{Command, Output};

/// What `body` does to its process, in one of its own that plays the test `name` again.
fn alone(name: &str, body: impl FnOnce()) -> Output {
    const INNER: &str = "LOOM_TEST_ALONE";
    if std::env::var_os(INNER).is_some() {
        body();
        unreachable!("it ends the process");
    }
    Command::new(std::env::current_exe().expect("a program knows where it is"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INNER, "1")
        .output()
        .expect("the own program starts")
}
