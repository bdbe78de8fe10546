//! Ends that wait for a limited time, and what else ends with a runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use loom::{ComputePriority, LoomBuilder, TokioFlavor};
use tokio::sync::oneshot;

use crate::{message, small};

#[test]
fn a_timeout_waits_for_work_and_no_longer() {
    let runtime = small();
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let done = Arc::clone(&done);
        runtime.spawn_compute(move || done.fetch_add(1, Ordering::Relaxed)).detach();
    }
    assert!(runtime.shutdown_timeout(Duration::from_secs(60)).is_nothing());
    assert_eq!(done.load(Ordering::Relaxed), 100);

    let runtime = small();
    let copy = runtime.clone();
    runtime.spawn_async(std::future::pending::<()>());
    let (release, blocked) = mpsc::channel::<()>();
    runtime.spawn_compute(move || blocked.recv().is_ok()).detach();
    let left = runtime.shutdown_timeout(Duration::from_millis(1));
    assert_eq!(left.to_string(), "1 task and 1 compute call");
    // Other handles stay valid, but their work is refused.
    let payload = catch_unwind(AssertUnwindSafe(|| copy.spawn_compute(|| ()).detach()));
    assert!(message(&*payload.expect_err("refused")).starts_with("the runtime has been shut down"));
    drop(release);
    // The runtime is idle once running work has ended.
    while !copy.is_idle() {
        thread::yield_now();
    }
    assert!(copy.shutdown_timeout(Duration::MAX).is_nothing());
}

#[test]
fn a_timeout_keeps_to_its_limit_though_every_worker_is_stuck() {
    for flavor in [TokioFlavor::MultiThread, TokioFlavor::CurrentThread] {
        let builder = LoomBuilder::new().rayon_threads(1).tokio_flavor(flavor);
        let runtime = match flavor {
            TokioFlavor::MultiThread => builder.tokio_threads(1),
            _ => builder,
        };
        let runtime = runtime.build().expect("it starts");
        let (release, blocked) = mpsc::channel::<()>();
        let (entered, stuck) = mpsc::channel();
        let task = async move {
            entered.send(()).expect("the test waits");
            // Blocks a worker, which is wrong, but real programs do it.
            let _released = blocked.recv();
        };
        let driver = if flavor == TokioFlavor::MultiThread {
            runtime.spawn_async(task);
            None
        } else {
            let driver = runtime.clone();
            Some(thread::spawn(move || driver.block_on(driver.spawn_async(task))))
        };
        stuck.recv().expect("the worker is stuck");
        let left = runtime.clone().shutdown_timeout(Duration::from_millis(10));
        assert_eq!(left.tasks, 1);
        drop(release);
        if let Some(driver) = driver {
            // `block_on` ends too, with a result or with a panic.
            let _ended = driver.join();
        }
    }
}

#[test]
fn two_may_end_a_runtime_at_once() {
    let runtime = small();
    let (release, blocked) = mpsc::channel::<()>();
    drop(runtime.spawn_blocking(move || blocked.recv().is_ok()));
    let patient = runtime.clone();
    let patient = thread::spawn(move || patient.shutdown_timeout(Duration::from_secs(60)));
    while !runtime.is_shutting_down() {
        thread::yield_now();
    }
    // A second Ctrl-C would do the same.
    assert_eq!(runtime.clone().shutdown_background().tasks, 1);
    drop(release);
    assert!(patient.join().expect("it does not panic").is_nothing());
}

#[test]
fn a_drop_that_must_not_wait_does_not_panic_instead() {
    let host = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let host = host.expect("tokio starts");
    let other = small();
    let runtime = small();
    // The last handle is dropped in async code of the host, under a guard of another runtime.
    let _guard = other.enter();
    host.block_on(async move { drop(runtime) });
}

#[test]
fn what_ends_may_leave_work_to_a_tracker_of_the_users_own() {
    let runtime = small();
    let tracker = runtime.task_tracker().clone();
    let (go, wait) = oneshot::channel::<()>();
    let (release, last) = oneshot::channel::<()>();
    runtime.spawn_async(async move {
        let _gone = wait.await;
        tracker.spawn(last);
    });
    let waiting = runtime.clone();
    let waiter = thread::spawn(move || waiting.block_until_idle());
    go.send(()).expect("the task waits");
    while runtime.task_tracker().is_empty() {
        thread::yield_now();
    }
    assert!(!runtime.is_idle());
    release.send(()).expect("it waits");
    waiter.join().expect("it does not panic");
    assert!(runtime.is_idle());
}

#[test]
fn a_tracker_of_the_users_own_is_waited_for() {
    let runtime = small();
    let (release, wait) = oneshot::channel::<()>();
    let tracked = runtime.task_tracker().spawn_on(wait, runtime.tokio_handle());
    runtime.shutdown();
    assert!(!runtime.is_idle());
    let waiting = runtime.clone();
    let waiter = thread::spawn(move || waiting.block_until_idle());
    release.send(()).expect("the task waits");
    waiter.join().expect("it does not panic");
    assert!(runtime.is_idle());
    runtime.block_on(tracked).expect("no panic").expect("it was released");
}

#[test]
fn a_function_that_tokio_does_not_take_is_dropped_where_it_was_given() {
    /// Reports the thread on which it is dropped.
    struct Goes(mpsc::Sender<String>);
    impl Drop for Goes {
        fn drop(&mut self) {
            self.0.send(crate::thread_name()).expect("the test waits");
        }
    }
    let host = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let host = host.expect("tokio starts");
    let builder = LoomBuilder::new().rayon_threads(1).compute_priority(ComputePriority::Normal);
    let runtime = builder.beside(host.handle().clone()).build().expect("it starts");
    host.shutdown_background();
    // A compute thread's class would be inherited, so another thread makes tokio start the
    // blocking thread.
    let (sender, gone) = mpsc::channel();
    let given = runtime.clone();
    let compute = runtime.spawn_compute(move || {
        let goes = Goes(sender);
        drop(given.spawn_blocking(move || drop(goes)));
    });
    compute.detach();
    assert_eq!(gone.recv().expect("it is dropped"), "loom-rayon-0000");
}
