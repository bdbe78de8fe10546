//! The functions that `#[loom::main]` and `#[loom::test]` call to run a body.

use std::any::Any;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{self, ExitCode, Termination};

use crate::panics::{drop_ignoring_panic, ignore_panic, text_of};
use crate::scheduler::Arm;
use crate::sync::thread;
use crate::topology::{ComputePriority, Pin};

use super::builder::LoomBuilder;
use super::handle::LoomRuntime;

/// Few, since a test crate runs many tests at once.
const TEST_THREADS: usize = 2;

/// Builds the runtime, runs `body`, and then waits for the work that is still running.
///
/// If the runtime cannot be built, it prints one line and ends the process with exit code 1.
pub fn run_main<R>(builder: LoomBuilder, body: impl AsyncFnOnce() -> R) -> R {
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // If standard error is closed, the exit code still reports the failure.
            let _ = writeln!(io::stderr(), "error: {error}");
            process::exit(1);
        }
    };
    let output = runtime.block_on(body());
    runtime.drain();
    output
}

impl LoomBuilder {
    /// Runs all calls of adaptive functions inline, for tests.
    #[doc(hidden)]
    pub fn always_inline(mut self) -> Self {
        self.forced = Some(Arm::InlineTokio);
        self
    }

    /// Offloads all calls of adaptive functions, for tests.
    #[doc(hidden)]
    pub fn always_offload(mut self) -> Self {
        self.forced = Some(Arm::OffloadRayon);
        self
    }
}

/// The defaults of `#[loom::test]`: few threads, not pinned and of normal priority, so that tests
/// that run at once share the CPUs and none waits for an idle machine.
pub fn test_builder() -> LoomBuilder {
    LoomBuilder::with_defaults(
        LoomBuilder::new()
            .tokio_threads(TEST_THREADS)
            .rayon_threads(TEST_THREADS)
            .pin(Pin::No)
            .compute_priority(ComputePriority::Normal),
    )
}

/// Builds the runtime and runs `body`. Async tasks that outlive the body are dropped, as in a tokio
/// test; queued compute calls never run, and running calls finish on their own.
#[track_caller]
pub fn run_test<R>(builder: LoomBuilder, body: impl AsyncFnOnce() -> R) -> R {
    built(builder).block_on(body())
}

/// [`run_test`] for a body that is not async: it runs in the runtime's context.
#[track_caller]
pub fn run_plain_test<R>(builder: LoomBuilder, body: impl FnOnce() -> R) -> R {
    let runtime = built(builder);
    let _context = runtime.enter();
    body()
}

/// Runs `body` twice: with all adaptive calls inline, and with all adaptive calls offloaded. The second
/// run follows also where the first one has failed.
///
/// A test that should panic has to panic both times.
#[track_caller]
pub fn run_test_on_both<R: Termination>(
    name: &str,
    should_panic: Option<&str>,
    builder: impl Fn() -> LoomBuilder,
    body: impl AsyncFn() -> R,
) -> R {
    on_both(name, should_panic, builder, |builder| run_test(builder, &body))
}

/// [`run_test_on_both`] for a body that is not async.
#[track_caller]
pub fn run_plain_test_on_both<R: Termination>(
    name: &str,
    should_panic: Option<&str>,
    builder: impl Fn() -> LoomBuilder,
    body: impl Fn() -> R,
) -> R {
    on_both(name, should_panic, builder, |builder| run_plain_test(builder, &body))
}

#[track_caller]
fn on_both<R: Termination>(
    name: &str,
    should_panic: Option<&str>,
    builder: impl Fn() -> LoomBuilder,
    run: impl Fn(LoomBuilder) -> R,
) -> R {
    let run_on = |arm, builder| {
        // With the macro that the harness captures: it shows this beside what the test prints, if the
        // test fails.
        ignore_panic(|| println!("{}: arm = {arm:?}", name_of_test(name)));
        catch_unwind(AssertUnwindSafe(|| run(builder)))
    };
    let inline = run_on("inline", builder().always_inline());
    let offload = run_on("offload", builder().always_offload());
    let fails = match (&inline, should_panic) {
        (Ok(_), None) => false,
        (Err(payload), Some(expected)) => !has_text(&**payload, expected),
        (Ok(_), Some(_)) | (Err(_), None) => true,
    };
    // The first failure is what the harness sees, and a second one does not get in its way.
    if fails {
        drop_ignoring_panic(offload);
        return inline.unwrap_or_else(|payload| resume_unwind(payload));
    }
    match inline {
        Ok(result) => {
            if result.report() != ExitCode::SUCCESS {
                drop_ignoring_panic(offload);
                panic!("the test failed with arm = \"inline\"");
            }
        }
        Err(as_expected) => drop_ignoring_panic(as_expected),
    }
    offload.unwrap_or_else(|payload| resume_unwind(payload))
}

/// The harness names the thread of a test after the test, with the case where a macro makes several.
fn name_of_test(name: &str) -> String {
    let thread = thread::current();
    let function = name.rsplit("::").next().unwrap_or(name);
    let of_thread = thread.name().filter(|name| name.split("::").any(|part| part == function));
    of_thread.unwrap_or(name).to_owned()
}

/// Whether a panic's text contains `expected`; the harness compares them in the same way.
fn has_text(payload: &(dyn Any + Send), expected: &str) -> bool {
    expected.is_empty() || text_of(payload).is_some_and(|text| text.contains(expected))
}

#[track_caller]
fn built(builder: LoomBuilder) -> LoomRuntime {
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}
