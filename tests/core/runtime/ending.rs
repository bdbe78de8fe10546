//! The end of a runtime: draining, closed, ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use loom::ComputeHint;
use tokio::sync::oneshot;

use crate::{message, small, threads};

#[test]
fn idle_means_shut_down_and_nothing_left() {
    let runtime = small();
    assert!(!runtime.is_idle(), "not before it is shut down");
    let (release, wait) = oneshot::channel::<()>();
    let task = runtime.spawn_async(wait);
    runtime.shutdown();
    assert!(!runtime.is_idle());
    // Still draining: work that is being finished may need compute.
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 1)), 1);
    release.send(()).expect("the task waits");
    runtime.block_on(task).expect("no panic").expect("it was released");
    assert!(runtime.is_idle());
}

#[test]
fn block_until_idle_waits_for_tasks_and_calls_and_then_refuses_new_ones() {
    let runtime = small();
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let (in_task, in_call) = (Arc::clone(&done), Arc::clone(&done));
        runtime.spawn_async(async move {
            tokio::task::yield_now().await;
            in_task.fetch_add(1, Ordering::Relaxed);
        });
        runtime.spawn_compute(move || in_call.fetch_add(1, Ordering::Relaxed)).detach();
    }
    runtime.block_until_idle();
    assert_eq!(done.load(Ordering::Relaxed), 200);
    assert!(runtime.is_idle());
    let refusals: [Box<dyn FnOnce()>; 4] = [
        Box::new(|| drop(runtime.spawn_async(async {}))),
        Box::new(|| runtime.spawn_compute(|| ()).detach()),
        Box::new(|| runtime.spawn_adaptive(|| ()).detach()),
        Box::new(|| runtime.spawn_adaptive_with_hint(ComputeHint::Low, || ()).detach()),
    ];
    for refusal in refusals {
        let payload = catch_unwind(AssertUnwindSafe(refusal)).expect_err("it is refused");
        let text = message(&*payload);
        assert!(text.starts_with("the runtime has been shut down"), "{text}");
    }
    runtime.block_until_idle();
}

#[test]
fn a_cancelled_wait_for_the_end_can_be_repeated() {
    let runtime = small();
    let (release, wait) = oneshot::channel::<()>();
    runtime.spawn_async(wait);
    runtime.shutdown();
    runtime.block_on(async {
        let mut waiting = Box::pin(runtime.wait_for_shutdown());
        tokio::select! {
            biased;
            () = &mut waiting => panic!("a task is left"),
            () = tokio::task::yield_now() => {}
        }
    });
    release.send(()).expect("the task waits");
    runtime.block_on(runtime.wait_for_shutdown());
}

#[test]
fn the_last_handle_may_go_on_any_thread() {
    // In a task on the runtime's own worker, in one of its compute calls, inside `block_on`, and
    // on an unrelated thread.
    let runtime = small();
    let (sender, dropped) = mpsc::channel();
    let inner = runtime.clone();
    let (go, wait) = oneshot::channel::<()>();
    let in_task = sender.clone();
    runtime.spawn_async(async move {
        let _released = wait.await;
        drop(inner);
        in_task.send("task").expect("the test waits");
    });
    drop(runtime);
    go.send(()).expect("the task waits");
    assert_eq!(dropped.recv(), Ok("task"));

    let runtime = small();
    let inner = runtime.clone();
    let (go, wait) = mpsc::channel::<()>();
    let in_call = sender.clone();
    runtime
        .spawn_compute(move || {
            let _released = wait.recv();
            drop(inner);
            in_call.send("call").expect("the test waits");
        })
        .detach();
    drop(runtime);
    go.send(()).expect("the call waits");
    assert_eq!(dropped.recv(), Ok("call"));

    let outer = small();
    outer.block_on(async { drop(small()) });
    thread::spawn(move || drop(outer)).join().expect("dropping does not panic");
}

#[test]
fn what_is_queued_when_the_last_handle_goes_is_refused_not_run() {
    let runtime = threads(1, 1).build().expect("it starts");
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, started) = mpsc::channel();
    runtime
        .spawn_compute(move || {
            entered.send(()).expect("the test waits");
            // Dropping the sender releases it, too.
            let _ = blocked.recv();
        })
        .detach();
    started.recv().expect("the blocker starts");
    let ran = Arc::new(Mutex::new(Vec::new()));
    let calls: Vec<_> = (0..10)
        .map(|i| {
            let ran = Arc::clone(&ran);
            runtime.spawn_compute(move || ran.lock().expect("not poisoned").push(i))
        })
        .collect();
    drop(runtime);
    drop(release);
    let other = small();
    for call in calls {
        let payload = catch_unwind(AssertUnwindSafe(|| other.block_on(call)));
        let payload = payload.expect_err("it is refused");
        assert!(message(&*payload).starts_with("the runtime has been shut down"));
    }
    assert!(ran.lock().expect("not poisoned").is_empty());
}
