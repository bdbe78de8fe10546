//! What luminal documents.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use loom::{ComputeError, ComputePriority, LoomBuilder, LoomRuntime};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::runtime;

#[test]
fn a_runtime_is_cloned_into_its_own_task() {
    let runtime = LoomRuntime::new().expect("the system has threads");
    let own = runtime.clone();
    let answer = runtime.block_on(async move { own.spawn(async { 42 }).await });
    assert_eq!(answer.ok(), Some(42));
}

#[test]
fn a_task_is_spawned_and_its_handle_awaited() {
    let runtime = runtime();
    let handle: JoinHandle<i32> = runtime.spawn(async { 42 });
    assert_eq!(runtime.block_on(handle).ok(), Some(42));
    let handle: Handle = runtime.handle().clone();
    let task = handle.spawn(async { 42 });
    assert_eq!(handle.block_on(task).ok(), Some(42));
    // Its `stats`: how many tasks wait in the queue, and how many were spawned.
    assert_eq!(runtime.metrics().global_queue_depth(), 0);
    assert_eq!(runtime.prometheus_metrics().total_spawns.get(), 1);
}

#[test]
fn free_functions_use_the_runtime_that_was_entered() {
    // The explicit runtime beside the entered one.
    let (entered, explicit) = (runtime(), runtime());
    let _entered = entered.enter();
    let task = loom::spawn(async { loom::current_runtime().is_some() });
    assert_eq!(loom::block_on(task).ok(), Some(true));
    assert_eq!(explicit.block_on(explicit.spawn(async { 42 })).ok(), Some(42));
    let spawned = |runtime: &LoomRuntime| runtime.prometheus_metrics().total_spawns.get();
    assert_eq!((spawned(&entered), spawned(&explicit)), (1, 1));
}

#[test]
fn free_functions_outside_of_a_runtime_say_so() {
    let text = std::thread::spawn(|| loom::block_on(async {})).join().expect_err("it panics");
    let text = text.downcast_ref::<String>().expect("it is text");
    assert!(text.contains("`loom::block_on` needs a Loom runtime"), "{text}");
}

#[test]
fn errors_tell_what_went_wrong() {
    // A panic reaches whoever awaits the task.
    let runtime = runtime();
    let error = runtime.block_on(runtime.spawn(async { std::panic::panic_any("as told") }));
    assert_eq!(error.expect_err("it panics").into_panic().downcast_ref(), Some(&"as told"));
    // A queue that is full refuses.
    let full = LoomBuilder::new()
        .pin_threads(false)
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal)
        .compute_queue(1);
    let full = full.build().expect("the settings are right");
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let busy = full.spawn_compute(move || receiver.recv_timeout(Duration::from_secs(60)).is_err());
    let calls: Vec<_> = (0..3).map(|_| full.try_spawn_compute(|| ())).collect();
    drop(sender);
    let refused = full.block_on(async {
        assert!(busy.await);
        let mut refused = 0;
        for call in calls {
            let full = |error: ComputeError| matches!(error, ComputeError::QueueFull { .. });
            refused += usize::from(call.await.is_err_and(full));
        }
        refused
    });
    assert!(refused >= 1, "{refused}");
    // A runtime that has ended refuses.
    let ended = full.clone();
    full.shutdown_background();
    let late = runtime.block_on(ended.try_spawn_compute(|| ()));
    assert!(late.is_err_and(|error| error.to_string().contains("shut down")));
    // Settings that cannot be met.
    let error = LoomBuilder::new().tokio_threads(0).build().expect_err("there are none");
    assert!(error.to_string().contains("tokio_threads"), "{error}");
}

/// Builds `tests/seeds/library`, and returns the path of the library.
fn built() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeds");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/library/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    let status = cargo.arg("--target-dir").arg(&folder).status().expect("cargo runs");
    assert!(status.success(), "the library is built");
    folder.join("debug").join(format!("{DLL_PREFIX}library{DLL_SUFFIX}"))
}

#[test]
#[expect(unsafe_code, reason = "a library is trusted by whoever loads it")]
fn a_runtime_is_handed_to_a_library_that_was_built_apart() {
    let runtime = runtime();
    // SAFETY: the library is the one of these tests, and was built for this version.
    let plugin = unsafe { runtime.load_plugin(built()) }.expect("it is a plug-in");
    // SAFETY: the library exports this function.
    let answer: extern "C" fn() -> u32 = unsafe { plugin.symbol("answer") }.expect("it is there");
    assert_eq!(answer(), 42);
    assert_eq!(runtime.plugins().len(), 1);
}
