//! The end: draining, closed, gone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use loom::{ComputeHint, LoomBuilder, LoomRuntime, TokioFlavor};
use tokio::sync::oneshot;

use crate::{message, small};

#[test]
fn idle_means_shut_down_and_nothing_left() {
    let runtime = small();
    assert!(!runtime.is_idle(), "not before it is shut down");
    let (release, wait) = oneshot::channel::<()>();
    let task = runtime.spawn_async(wait);
    runtime.shutdown();
    assert!(!runtime.is_idle());
    // Still draining: what is being finished may need compute.
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
    // In a task on its own worker, in a compute call of its own, inside `block_on`, and on
    // a thread that has nothing to do with it.
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
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build().expect("it starts");
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, started) = mpsc::channel();
    runtime
        .spawn_compute(move || {
            entered.send(()).expect("the test waits");
            // The sender going is as good as a message.
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

/// Ten thousand pieces of work, most of them queued, some running, none of which end by
/// themselves before the runtime does.
fn busy() -> (LoomRuntime, Arc<()>) {
    let runtime = small();
    let alive = Arc::new(());
    for i in 0..2_000 {
        let held = Arc::clone(&alive);
        // Every hundredth keeps a handle of its own, for ever.
        let own = (i % 100 == 0).then(|| runtime.clone());
        runtime.spawn_async(async move {
            let _kept = (held, own);
            std::future::pending::<()>().await;
        });
    }
    for _ in 0..2_000 {
        let held = Arc::clone(&alive);
        runtime.spawn_async(async move {
            loop {
                tokio::task::yield_now().await;
                std::hint::black_box(&held);
            }
        });
    }
    for _ in 0..5_000 {
        let held = Arc::clone(&alive);
        runtime.spawn_compute(move || drop(std::hint::black_box(held))).detach();
    }
    for _ in 0..1_000 {
        let held = Arc::clone(&alive);
        let call = runtime.spawn_compute(move || drop(std::hint::black_box(held)));
        runtime.spawn_async(call);
    }
    for _ in 0..4 {
        let held = Arc::clone(&alive);
        runtime.spawn_blocking(move || drop(std::hint::black_box(held)));
    }
    (runtime, alive)
}

/// All of it is dropped in the end, whoever ended it, and however.
fn everything_is_dropped(alive: &Arc<()>) {
    while Arc::strong_count(alive) > 1 {
        thread::yield_now();
    }
}

#[test]
fn ten_thousand_pieces_of_work_end_with_their_runtime_on_any_thread() {
    type End = fn(LoomRuntime);
    let ends: [End; 3] = [
        // Its tasks keep handles, so it is not the last one that goes here.
        |runtime| assert!(!runtime.shutdown_background().is_nothing()),
        |runtime| assert!(!runtime.shutdown_timeout(Duration::ZERO).is_nothing()),
        |runtime| {
            let left = runtime.clone().shutdown_background();
            assert!(left.tasks >= 4_000, "{left}");
            drop(runtime);
        },
    ];
    for end in ends {
        // On a thread of nobody's.
        let (runtime, alive) = busy();
        end(runtime);
        everything_is_dropped(&alive);
        let (runtime, alive) = busy();
        thread::spawn(move || end(runtime)).join().expect("it does not panic");
        everything_is_dropped(&alive);
        // On a thread that has entered it.
        let (runtime, alive) = busy();
        {
            let copy = runtime.clone();
            let _guard = copy.enter();
            end(runtime);
        }
        everything_is_dropped(&alive);
        // On its own blocking thread, its own compute thread, and in `block_in_place`.
        let (runtime, alive) = busy();
        let copy = runtime.clone();
        drop(runtime.spawn_blocking(move || end(copy)));
        everything_is_dropped(&alive);
        drop(runtime);
        let (runtime, alive) = busy();
        let copy = runtime.clone();
        runtime.spawn_compute(move || end(copy)).detach();
        everything_is_dropped(&alive);
        drop(runtime);
        let (runtime, alive) = busy();
        let copy = runtime.clone();
        runtime.spawn_async(async move { tokio::task::block_in_place(|| end(copy)) });
        everything_is_dropped(&alive);
        drop(runtime);
        // On the compute and blocking threads of another.
        let (runtime, alive) = busy();
        let other = small();
        other.block_on(other.spawn_compute(move || end(runtime)));
        everything_is_dropped(&alive);
        let (runtime, alive) = busy();
        other.block_on(other.spawn_blocking(move || end(runtime))).expect("it does not panic");
        everything_is_dropped(&alive);
    }
    // Where blocking is not allowed there is one way, and it is allowed anywhere.
    let (runtime, alive) = busy();
    let copy = runtime.clone();
    runtime.spawn_async(async move { copy.shutdown_background() });
    everything_is_dropped(&alive);
    drop(runtime);
    let (runtime, alive) = busy();
    let copy = runtime.clone();
    runtime.block_on(async move { copy.shutdown_background() });
    everything_is_dropped(&alive);
}

#[test]
fn the_last_handle_ends_ten_thousand_pieces_of_work_on_any_thread() {
    /// Without the tasks that keep a handle.
    fn busy() -> (LoomRuntime, Arc<()>) {
        let runtime = small();
        let alive = Arc::new(());
        for _ in 0..4_000 {
            let held = Arc::clone(&alive);
            runtime.spawn_async(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
        }
        for _ in 0..6_000 {
            let held = Arc::clone(&alive);
            runtime.spawn_compute(move || drop(std::hint::black_box(held))).detach();
        }
        (runtime, alive)
    }
    type Where = fn(&LoomRuntime, LoomRuntime);
    let places: [Where; 6] = [
        |_, runtime| drop(runtime),
        |_, runtime| thread::spawn(move || drop(runtime)).join().expect("it does not panic"),
        |other, runtime| other.block_on(async move { drop(runtime) }),
        |other, runtime| other.block_on(other.spawn_compute(move || drop(runtime))),
        |_, runtime| {
            // The last one on its own compute thread.
            let copy = runtime.clone();
            runtime.spawn_compute(move || drop(copy)).detach();
            drop(runtime);
        },
        |_, runtime| {
            // The last one on its own worker.
            let copy = runtime.clone();
            runtime.spawn_async(async move {
                tokio::task::yield_now().await;
                drop(copy);
            });
            drop(runtime);
        },
    ];
    let other = small();
    for place in places {
        let (runtime, alive) = busy();
        place(&other, runtime);
        everything_is_dropped(&alive);
    }
}

#[test]
fn a_timeout_waits_for_work_and_no_longer() {
    let runtime = small();
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let done = Arc::clone(&done);
        runtime.spawn_compute(move || done.fetch_add(1, Ordering::Relaxed)).detach();
    }
    assert!(runtime.shutdown_timeout(Duration::from_mins(1)).is_nothing());
    assert_eq!(done.load(Ordering::Relaxed), 100);

    let runtime = small();
    let copy = runtime.clone();
    runtime.spawn_async(std::future::pending::<()>());
    let (release, blocked) = mpsc::channel::<()>();
    runtime.spawn_compute(move || blocked.recv().is_ok()).detach();
    let left = runtime.shutdown_timeout(Duration::from_millis(1));
    assert_eq!(left.to_string(), "1 task and 1 compute call");
    // Other handles are valid, and their work is refused.
    let payload = catch_unwind(AssertUnwindSafe(|| copy.spawn_compute(|| ()).detach()));
    assert!(message(&*payload.expect_err("refused")).starts_with("the runtime has been shut down"));
    drop(release);
    // What is running ends, and then it is idle.
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
            // Wrong, as real programs are.
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
            // It is over for it as well, one way or the other.
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
    let patient = thread::spawn(move || patient.shutdown_timeout(Duration::from_mins(1)));
    while !runtime.is_shutting_down() {
        thread::yield_now();
    }
    // As a second Ctrl-C would.
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
    // A guard of one runtime, async code of another, the last handle of a third.
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
