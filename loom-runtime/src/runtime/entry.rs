//! What `#[loom::main]` and `#[loom::test]` do around a body.

use std::io::{self, Write};
use std::process;

use crate::topology::{ComputePriority, Pin};

use super::builder::LoomBuilder;

/// Small pools: a test crate runs many tests at once.
const TEST_THREADS: usize = 2;

/// Builds the runtime, runs `body`, and drains what it left behind.
///
/// A runtime that cannot be built ends the process with one line and code 1.
pub fn run_main<F: Future>(builder: LoomBuilder, body: F) -> F::Output {
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // The code says it where nobody reads the line.
            let _ = writeln!(io::stderr(), "error: {error}");
            process::exit(1);
        }
    };
    let output = runtime.block_on(body);
    runtime.drain();
    output
}

/// The defaults of `#[loom::test]`: a few threads that neither claim CPUs nor wait for an
/// idle machine.
pub fn test_builder() -> LoomBuilder {
    LoomBuilder::with_defaults(
        LoomBuilder::new()
            .tokio_threads(TEST_THREADS)
            .rayon_threads(TEST_THREADS)
            .pin(Pin::No)
            .compute_priority(ComputePriority::Normal),
    )
}

/// Builds the runtime and runs `body`. Async tasks that outlive the body are dropped with
/// it, as in a tokio test; queued compute calls never run, and running ones end on their own.
#[track_caller]
pub fn run_test<F: Future>(builder: LoomBuilder, body: F) -> F::Output {
    match builder.build() {
        Ok(runtime) => runtime.block_on(body),
        Err(error) => panic!("{error}"),
    }
}
