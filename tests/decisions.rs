//! Decisions of a real runtime: what they are based on, and how they are reported.

use std::future::pending;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use loom::mab::{FunctionKey, MabKnobs, MabScheduler, Reason};
use loom::{
    Arm, ComputeError, ComputeHint, ComputePriority, LoomBuilder, LoomRuntime, Priority,
    TokioFlavor,
};
use tokio::task::JoinHandle;

/// A builder of a runtime whose compute work stays in one class. Where it may move to another class, it
/// moves to other threads, and those that a test keeps busy keep nothing back.
fn threads(tokio: usize, rayon: usize) -> LoomBuilder {
    let builder = LoomBuilder::new().tokio_threads(tokio).rayon_threads(rayon);
    builder.compute_priority(ComputePriority::Normal)
}

fn runtime() -> LoomRuntime {
    threads(2, 2).build().expect("it starts")
}

/// Keeps a thread busy for at least `time`.
fn burn(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        black_box(());
    }
}

#[loom::compute(hint = "low")]
fn next(n: u64) -> u64 {
    black_box(n) + 1
}

#[test]
fn settled_calls_are_counted_though_nobody_times_them() {
    let runtime = runtime();
    let sum = runtime.block_on(async {
        let mut n = 0;
        for _ in 0..10_000 {
            n = next(n).await;
        }
        n
    });
    assert_eq!(sum, 10_000);
    let functions = runtime.functions();
    let next = functions.iter().find(|function| function.name.ends_with("::next"));
    let next = next.expect("it was called");
    assert_eq!(next.calls(), 10_000);
    assert!(next.inline > 9_900, "{next:?}");
    let timed = next.run_times.count();
    assert!((16..5_000).contains(&timed), "{timed}");
    let verdict = next.verdict.expect("it was drawn");
    assert_eq!(verdict.arm, Arm::InlineTokio);
    assert!(verdict.to_string().starts_with("inline ("), "{verdict}");
}

#[test]
fn closures_are_reported_apart_with_their_places() {
    let runtime = runtime();
    runtime.block_on(async {
        for n in 0..3 {
            loom::spawn_adaptive(move || n + 1).await;
        }
        let (_, line) = (loom::spawn_adaptive(|| 1).await, line!());
        let failed = loom::try_spawn_adaptive(|| 2).await;
        assert_eq!(failed.ok(), Some(2));
        let function = concat!(module_path!(), "::closures_are_reported_apart_with_their_places");
        let seen = loom::functions();
        let calls = |line: u32| {
            let name = format!("{function} at {}:{line}:", file!());
            let seen: Vec<_> = seen.iter().filter(|seen| seen.name.starts_with(&name)).collect();
            assert_eq!(seen.len(), 1, "{name}");
            seen[0].calls()
        };
        assert_eq!([calls(line - 2), calls(line), calls(line + 1)], [3, 1, 1]);
        let mut keys: Vec<_> = seen.iter().map(|seen| seen.key.0).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 3);
    });
}

/// Each thread has its own statistics, which stay when it ends.
#[test]
fn counts_outlive_their_threads() {
    let runtime = runtime();
    for _ in 0..5 {
        let runtime = runtime.clone();
        let caller = std::thread::spawn(move || {
            runtime.block_on(async {
                for n in 0..100 {
                    next(n).await;
                }
            });
        });
        caller.join().expect("no panic");
    }
    let calls: u64 = runtime.functions().iter().map(loom::FunctionStats::calls).sum();
    assert_eq!(calls, 500);
}

#[test]
fn a_panic_of_a_settled_call_reaches_whoever_awaits_it_and_is_counted() {
    #[loom::compute(hint = "low")]
    fn fails_at(n: u64, at: u64) -> u64 {
        assert!(n != at, "as told");
        n
    }
    let runtime = runtime();
    let task = runtime.spawn_async(async {
        for n in 0..=1000 {
            fails_at(n, 1000).await;
        }
    });
    assert!(runtime.block_on(task).expect_err("it panics").is_panic());
    assert_eq!(runtime.functions()[0].panicked, 1);
}

#[test]
fn an_ended_runtime_refuses_settled_calls_too() {
    let runtime = runtime();
    let settled = || runtime.try_spawn_adaptive(|| 7);
    runtime.block_on(async {
        for _ in 0..1000 {
            assert_eq!(settled().await.expect("it runs"), 7);
        }
    });
    runtime.block_until_idle();
    assert!(matches!(runtime.block_on(settled()), Err(ComputeError::ShutDown)));
}

#[test]
fn the_try_form_gives_a_panic_as_an_error_on_either_arm() {
    let builder = || threads(2, 1);
    let runtimes = [builder().always_inline(), builder().always_offload()];
    for (arm, builder) in runtimes.into_iter().enumerate() {
        let runtime = builder.build().expect("it starts");
        for at in 0..10_u64 {
            let called = runtime.try_spawn_adaptive(move || assert!(at < 9, "out of ink"));
            let called = runtime.block_on(called);
            assert_eq!(called.is_err(), at == 9);
            if let Err(error) = called {
                let payload = error.into_panic().expect("a panic");
                assert_eq!(payload.downcast_ref(), Some(&"out of ink"));
            }
        }
        let function = &runtime.functions()[0];
        assert_eq!(function.panicked, 1);
        let calls = [function.inline, function.offloaded];
        assert_eq!((calls[arm], calls[1 - arm]), (10, 0), "{function:?}");
    }
}

#[test]
fn sleeping_tasks_are_no_pressure() {
    let runtime = runtime();
    let tasks: Vec<_> = (0..1000).map(|_| runtime.spawn_async(pending::<()>())).collect();
    // Each task is polled once, and then sleeps.
    runtime.block_on(async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    });
    let counted = runtime.collect_context();
    assert_eq!((counted.tokio_workers, counted.rayon_threads), (2, 2));
    assert!(counted.inflight_tasks < 100, "{counted:?}");
    for task in tasks {
        task.abort();
    }
}

/// Waits until a task runs while other tasks block their workers.
///
/// Tokio relies on each worker to search again. A worker that goes to sleep while another takes
/// its last task may miss a task that is spawned at that moment; only the next spawn wakes it.
fn until_it_runs(runtime: &LoomRuntime, it_runs: &Receiver<()>) {
    while it_runs.recv_timeout(Duration::from_millis(50)).is_err() {
        drop(runtime.spawn_async(async {}));
    }
}

/// A task that blocks its worker until the other end of the channel is dropped.
fn stop_a_worker(runtime: &LoomRuntime) -> (Sender<()>, JoinHandle<()>) {
    let (runs, it_runs) = mpsc::channel();
    let (release, held) = mpsc::channel();
    let task = runtime.spawn_async(async move {
        runs.send(()).expect("somebody waits");
        held.recv().expect_err("it is only ever let go");
    });
    until_it_runs(runtime, &it_runs);
    (release, task)
}

/// The estimator counts tasks that are ready while both workers are blocked.
#[test]
fn tasks_that_are_ready_are_pressure() {
    let runtime = runtime();
    // One after another, since a worker that took both would block in the first.
    let (releases, stopped): (Vec<_>, Vec<_>) = (0..2).map(|_| stop_a_worker(&runtime)).unzip();
    // This thread is no worker, so the tasks go to the queue that all workers share.
    let ready: Vec<_> = (0..100).map(|_| runtime.spawn_async(async {})).collect();
    let counted = runtime.collect_context();
    drop(releases);
    assert!(counted.inflight_tasks >= 16, "up to ten a worker: {counted:?}");
    runtime.block_on(async {
        for task in stopped.into_iter().chain(ready) {
            task.await.expect("no panic");
        }
    });
}

/// A known blind spot: the estimator does not see tasks in a worker's own queue.
#[test]
fn a_burst_in_a_workers_own_queue_is_not_seen_at_once() {
    let runtime = runtime();
    // The blocked worker cannot take the tasks of the burst.
    let (release, stopped) = stop_a_worker(&runtime);
    let of_task = runtime.clone();
    let (runs, it_runs) = mpsc::channel();
    let burst = runtime.spawn_async(async move {
        runs.send(()).expect("somebody waits");
        let ready: Vec<_> = (0..50).map(|_| tokio::spawn(async {})).collect();
        (of_task.collect_context(), ready.len())
    });
    until_it_runs(&runtime, &it_runs);
    let (counted, ready) = runtime.block_on(burst).expect("no panic");
    drop(release);
    runtime.block_on(stopped).expect("no panic");
    // Fifty tasks are ready; the estimate rests only on how busy the workers were.
    assert!((counted.inflight_tasks as usize) < ready, "{counted:?}");
}

#[test]
fn a_lone_worker_is_blocked_for_less() {
    // The other guardrails are off, since a busy machine could trigger them.
    let knobs = MabKnobs::new().without_strikes().with_thresholds(50.0, 1e9, 1e9);
    let lone = LoomBuilder::new()
        .tokio_flavor(TokioFlavor::CurrentThread)
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal);
    let lone = lone.mab_knobs(knobs).build().expect("it starts");
    lone.block_on(async {
        for _ in 0..40 {
            lone.spawn_adaptive_with_hint(ComputeHint::Low, || burn(Duration::from_micros(100)))
                .await;
        }
    });
    let verdict = lone.functions()[0].verdict.expect("it was drawn");
    assert_eq!((verdict.arm, verdict.reason), (Arm::OffloadRayon, Reason::LoneWorker), "{verdict}");
}

#[test]
fn decisions_by_hand_know_what_the_runtimes_pool_costs() {
    const KEY: FunctionKey = FunctionKey::from_path("shop::images::crop");
    let runtime = runtime();
    let scheduler = runtime.mab_scheduler();
    assert!(Arc::ptr_eq(&scheduler, &runtime.mab_scheduler()));
    let context = runtime.collect_context();
    let (first, arm) = scheduler.choose(KEY, &context);
    assert_eq!(arm, Arm::OffloadRayon, "nothing is known yet");
    scheduler.finish(first, 15.0, Some(1.0));
    for _ in 0..100 {
        let (id, _) = scheduler.choose(KEY, &context);
        scheduler.finish(id, 1.0, Some(1.0));
    }
    assert_eq!(scheduler.choose(KEY, &context).1, Arm::InlineTokio);
    assert!(runtime.functions().is_empty(), "they are learned apart");
    // The same without a runtime.
    let own = MabScheduler::with_defaults();
    assert_eq!(own.choose_with_hint(KEY, &context, ComputeHint::Low).1, Arm::InlineTokio);
}

#[loom::compute(hint = "medium")]
fn beside_a_queue() {}

/// The pool's only thread is held, and calls wait behind it.
#[test]
fn an_offloaded_call_is_expected_to_wait_in_the_queue() {
    let builder = threads(2, 1);
    let runtime = builder.build().expect("it starts");
    let (release, released) = mpsc::channel::<()>();
    let (started, starts) = mpsc::channel();
    runtime
        .spawn_compute(move || {
            started.send(()).expect("it is waited for");
            released.recv().expect_err("it is only ever let go");
        })
        .detach();
    starts.recv().expect("it starts");
    (0..4).for_each(|_| runtime.spawn_compute(|| ()).detach());
    // The keeper sees that calls wait and none ends.
    let wait = || runtime.expected_queue_wait(Priority::Normal);
    while wait() < Duration::from_millis(1) {
        std::thread::yield_now();
    }
    runtime.block_on(beside_a_queue());
    drop(release);
    let functions = runtime.functions();
    let function = functions.iter().find(|function| function.name.ends_with("::beside_a_queue"));
    let verdict = function.and_then(|function| function.verdict).expect("it was called");
    assert_eq!(verdict.arm, Arm::InlineTokio);
    assert!(verdict.queue >= Duration::from_millis(1), "{verdict}");
    assert!(verdict.offload_cost > verdict.queue, "{verdict}");
    assert!(verdict.explain().contains(" in the queue"), "{}", verdict.explain());
}

#[loom::compute(mode = "offload")]
fn waits() {
    let (_sender, receiver) = mpsc::channel::<()>();
    receiver.recv_timeout(Duration::from_millis(1)).expect_err("nothing is sent");
}

#[loom::compute(mode = "offload")]
fn computes() {
    burn(Duration::from_micros(200));
}

/// A run that gives up its CPU waits; one that another thread preempts does not.
#[cfg(target_os = "linux")]
#[test]
fn an_explanation_says_that_a_function_waits() {
    let runtime = runtime();
    runtime.block_on(async {
        for _ in 0..20 {
            waits().await;
            computes().await;
        }
    });
    let functions = runtime.functions();
    let verdict_of = |name: &str| {
        let function = functions.iter().find(|function| function.name.ends_with(name));
        function.and_then(|function| function.verdict).expect("it was called")
    };
    let waits = verdict_of("::waits").waits;
    assert!(waits.looked_at >= 16 && waits.waited == waits.looked_at, "{waits:?}");
    assert!(waits.mean >= Duration::from_millis(1), "{waits:?}");
    let text = verdict_of("::waits").explain();
    assert!(text.contains("It waits") && text.contains("`spawn_blocking`"), "{text}");
    let waits = verdict_of("::computes").waits;
    assert!(waits.looked_at >= 16 && waits.waited < waits.looked_at / 2, "{waits:?}");
}

#[loom::compute(mode = "observe")]
fn observed(n: u64) -> u64 {
    black_box(n) + 1
}

/// Nothing is offloaded, and still it is known what that would cost.
#[test]
fn observed_functions_know_what_the_pool_costs() {
    let runtime = runtime();
    let count = |calls: u64| {
        runtime.block_on(async {
            for n in 0..calls {
                observed(n).await;
            }
        });
    };
    let verdict = || runtime.functions()[0].verdict.expect("it was called");
    let run = || runtime.prometheus_metrics().compute_run.get();
    count(1);
    // The probe is a task of the runtime.
    while run() == 0 {
        std::thread::yield_now();
    }
    // The probe has run; its task measures the way there and back, and a later verdict knows.
    let mut calls = 1;
    loop {
        count(1_000);
        calls += 1_000;
        let mut shown = verdict();
        // Its explanation has both costs, whatever was drawn last.
        shown.reason = Reason::Retest;
        if shown.explain().contains("way there and back (measured)") {
            break;
        }
        std::thread::yield_now();
    }
    let functions = runtime.functions();
    assert_eq!((functions[0].calls(), functions[0].offloaded), (calls, 0));
    assert!(run() <= 1 + calls / 1000, "{}", run());
}
