//! What tokio documents of `Runtime`, `JoinHandle`, `JoinError` and `AbortHandle`.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use loom::LoomRuntime;
use loom::local::{AbortHandle, JoinError};

use crate::runtime;

#[test]
fn a_runtime_is_made_used_and_dropped() {
    let runtime = LoomRuntime::new().expect("the system has threads");
    let task = runtime.spawn(async { 6 * 7 });
    assert_eq!(runtime.block_on(task).ok(), Some(42));
    let blocking = runtime.spawn_blocking(|| 6 * 7);
    assert_eq!(runtime.block_on(blocking).ok(), Some(42));
}

#[test]
fn a_handle_spawns_from_any_thread() {
    let runtime = runtime();
    let handle = runtime.handle().clone();
    let spawned = std::thread::spawn(move || handle.spawn(async { 6 * 7 }));
    let task = spawned.join().expect("no panic");
    assert_eq!(runtime.handle().block_on(task).ok(), Some(42));
    assert_eq!(runtime.metrics().num_workers(), 2);
}

#[test]
fn a_thread_that_entered_spawns_by_free_functions() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let task = ::tokio::spawn(async { 6 * 7 });
    assert_eq!(runtime.block_on(task).ok(), Some(42));
    assert_eq!(runtime.block_on(loom::spawn(async { 6 * 7 })).ok(), Some(42));
}

#[test]
fn a_runtime_ends_in_time_or_at_once() {
    for in_time in [true, false] {
        let runtime = runtime();
        let task = runtime.spawn(pending::<()>());
        if in_time {
            runtime.shutdown_timeout(Duration::from_millis(1));
        } else {
            runtime.shutdown_background();
        }
        let waiting = crate::runtime().block_on(task);
        assert!(waiting.is_err_and(|error| error.is_cancelled()));
    }
}

/// A runtime with a local core.
fn with_core() -> LoomRuntime {
    let builder = loom::LoomBuilder::new().pin_threads(false).tokio_threads(1).rayon_threads(1);
    builder.local_cores(1).build().expect("the system has threads")
}

#[test]
fn an_abort_handle_ends_a_local_task_from_any_thread() {
    fn is_shared<T: Send + Sync + Clone>(_: &T) {}
    let runtime = with_core();
    let kept = Arc::new(());
    let with = Arc::clone(&kept);
    let task = runtime.local(0).spawn_with(move || async move {
        pending::<()>().await;
        drop(with);
    });
    let abort: AbortHandle = task.abort_handle();
    is_shared(&abort);
    assert_eq!(abort.id(), task.id());
    let other = runtime.local(0).spawn_with(|| async {});
    assert_ne!(abort.id(), other.id());
    assert!(!abort.is_finished());
    let aborting = abort.clone();
    std::thread::spawn(move || aborting.abort()).join().expect("no panic");
    let ended = runtime.block_on(task);
    assert!(ended.is_err_and(|error| error.is_cancelled() && !error.is_panic()));
    assert!(abort.is_finished() && Arc::strong_count(&kept) == 1);
    // It may be used after the task and the runtime.
    drop(runtime);
    abort.abort();
}

#[test]
fn a_join_error_has_the_panic() {
    let runtime = with_core();
    let failed = || {
        runtime.block_on(runtime.local(0).spawn_with(|| async { std::panic::panic_any("as told") }))
    };
    let error: JoinError = failed().expect_err("it panics");
    assert!(error.is_panic() && !error.is_cancelled());
    assert_eq!(error.into_panic().downcast_ref(), Some(&"as told"));
    let payload = failed().expect_err("it panics").try_into_panic().expect("it is a panic");
    let resuming = std::thread::spawn(|| std::panic::resume_unwind(payload));
    let payload = resuming.join().expect_err("it goes on");
    assert_eq!(payload.downcast_ref(), Some(&"as told"));
}

#[test]
fn a_cancelled_task_has_no_panic() {
    let runtime = with_core();
    let task = runtime.local(0).spawn_with(pending::<()>);
    task.abort();
    let error = runtime.block_on(task).expect_err("it was aborted");
    let error = error.try_into_panic().expect_err("it did not panic");
    let taken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| error.into_panic()));
    let payload = taken.expect_err("there is none");
    let text = payload.downcast_ref::<String>().expect("it is text");
    assert!(text.contains("`try_into_panic`"), "{text}");
}
