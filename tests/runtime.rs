//! The runtime: threads where they should be, work that runs, panics that travel, an end.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use loom::{Arm, ComputeHint, ComputePriority, LoomBuilder, LoomRuntime, Pin, Placement};
use tokio::sync::oneshot;

fn small() -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(2)
        .rayon_threads(2)
        .pin(false)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("a small runtime starts")
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or_default()
}

#[test]
fn threads_carry_the_prefix_their_role_and_a_number() {
    let runtime = LoomBuilder::new()
        .prefix("shop")
        .tokio_threads(1)
        .rayon_threads(1)
        .build()
        .expect("it starts");
    assert_eq!(runtime.block_on(runtime.spawn_compute(thread_name)), "shop-rayon-0000");
    let io = runtime.block_on(runtime.spawn_async(async { thread_name() }));
    assert_eq!(io.expect("it does not panic"), "shop-tokio-0000");
    let blocking = runtime.tokio_handle().spawn_blocking(thread_name);
    let blocking = runtime.block_on(blocking).expect("it does not panic");
    assert!(blocking.starts_with("shop-blocking-"), "{blocking}");
}

#[test]
fn what_was_obtained_is_read_back_and_shown() {
    let runtime = LoomBuilder::new().tokio_threads(2).rayon_threads(3).build().expect("it starts");
    assert_eq!((runtime.tokio_threads(), runtime.rayon_threads()), (2, 3));
    let budget: BTreeSet<_> = runtime.effective_cpuset().iter().collect();
    assert!(!budget.is_empty());
    assert!(runtime.tokio_cpus().iter().all(|cpu| budget.contains(cpu)));
    assert!(runtime.rayon_cpus().iter().all(|cpu| budget.contains(cpu)));
    let shown = runtime.to_string();
    assert!(shown.starts_with("loom runtime: 2 I/O + 3 compute threads on CPUs "), "{shown}");
    for thread in ["loom-tokio-0000: CPUs ", "loom-tokio-0001: ", "loom-rayon-0002: "] {
        assert!(shown.contains(thread), "{shown}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn compute_threads_yield_to_io_and_blocking_threads_do_not_inherit_a_workers_cpu() {
    /// Of the calling thread: scheduling policy, and how many CPUs it may use.
    fn seat() -> (i64, usize) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells");
        // Field 41 is the policy; the name before it is in parentheses.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let policy = after_name.split_whitespace().nth(38).and_then(|field| field.parse().ok());
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("Linux tells");
        let mask = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:"));
        let bits = mask.unwrap_or_default().chars().filter_map(|c| c.to_digit(16));
        (policy.expect("a number"), bits.map(|digit| digit.count_ones() as usize).sum())
    }
    let runtime = LoomBuilder::new().build().expect("it starts");
    let all = runtime.effective_cpuset().len();
    let in_tokio = runtime.spawn_async(async {
        (seat(), tokio::task::spawn_blocking(seat).await.expect("it does not panic"))
    });
    let (io, blocking) = runtime.block_on(in_tokio).expect("it does not panic");
    let compute = runtime.block_on(runtime.spawn_compute(seat));
    assert_eq!(compute, (i64::from(libc::SCHED_IDLE), all));
    assert_eq!(blocking, (i64::from(libc::SCHED_OTHER), all));
    assert_eq!(io.0, i64::from(libc::SCHED_OTHER));
    // A quota leaves workers unpinned; a whole machine gives each a CPU of its own.
    assert!(io.1 == 1 || runtime.tokio_threads() < all, "{runtime}");
}

#[test]
fn placements_and_pins_are_settings() {
    for placement in [Placement::Shared, Placement::Split] {
        for pin in [Pin::Yes, Pin::No] {
            let runtime = LoomBuilder::new().placement(placement).pin(pin).build();
            let runtime = runtime.expect("every combination starts");
            assert_eq!(runtime.block_on(runtime.spawn_compute(|| 1)), 1);
        }
    }
}

#[test]
fn bad_settings_are_errors_that_name_the_way_out() {
    let error = |builder: LoomBuilder| builder.build().expect_err("it is refused").to_string();
    let threads = "expected 1 to 8192: leave it out to get one for each CPU of the budget";
    for (builder, expected) in [
        (LoomBuilder::new().tokio_threads(0), format!("`tokio_threads` is 0; {threads}")),
        (LoomBuilder::new().rayon_threads(0), format!("`rayon_threads` is 0; {threads}")),
        (LoomBuilder::new().rayon_threads(8193), format!("`rayon_threads` is 8193; {threads}")),
        (
            LoomBuilder::new().prefix(""),
            "`prefix` is \"\"; expected a name for the threads: leave it out to get `loom`".into(),
        ),
        (
            LoomBuilder::new().prefix("a\0b"),
            "`prefix` is \"a\\0b\"; expected no control characters, since it becomes part of \
             thread names"
                .into(),
        ),
        (
            LoomBuilder::new().prefix("x".repeat(65)),
            format!("`prefix` is {:?}; expected at most 64 bytes, found 65", "x".repeat(65)),
        ),
    ] {
        assert_eq!(error(builder), expected);
    }
}

#[test]
fn every_kind_of_work_runs() {
    let runtime = small();
    let sum = runtime.block_on(async {
        let task = loom::spawn_async(async { 1 }).await.expect("it does not panic");
        let compute = loom::spawn_compute(|| 10).await;
        let adaptive = loom::spawn_adaptive(|| 100).await;
        let hinted = loom::spawn_adaptive_with_hint(ComputeHint::Low, || 1_000).await;
        task + compute + adaptive + hinted
    });
    assert_eq!(sum, 1_111);
    assert_eq!(runtime.install(|| rayon_sum(1_000)), 499_500);
}

/// Parallel on whichever pool it runs on, through `join` alone.
fn rayon_sum(n: u64) -> u64 {
    (0..n).sum()
}

#[test]
fn the_first_call_follows_the_hint() {
    let runtime = small();
    let low = runtime.spawn_adaptive_with_hint(ComputeHint::Low, || ());
    let high = runtime.spawn_adaptive_with_hint(ComputeHint::High, || ());
    let unknown = runtime.spawn_adaptive(|| ());
    assert_eq!(low.arm(), Arm::InlineTokio);
    assert_eq!(high.arm(), Arm::OffloadRayon);
    assert_eq!(unknown.arm(), Arm::OffloadRayon);
    runtime.block_on(async { (low.await, high.await, unknown.await) });
}

#[test]
fn adaptive_work_on_a_compute_thread_stays_there() {
    let runtime = small();
    let (outer, inner) = runtime.block_on(runtime.spawn_compute(|| {
        let inner = loom::spawn_adaptive_with_hint(ComputeHint::High, thread_name);
        assert_eq!(inner.arm(), Arm::InlineTokio);
        let runtime = loom::current_runtime().expect("a compute thread has a runtime");
        (thread_name(), runtime.block_on(inner))
    }));
    assert_eq!(outer, inner);
}

#[test]
fn each_closure_type_is_a_function_of_its_own() {
    let runtime = small();
    for _ in 0..3 {
        runtime.block_on(runtime.spawn_adaptive(|| 1));
    }
    runtime.block_on(runtime.spawn_adaptive(|| 2));
    let mut calls: Vec<_> = runtime.functions().iter().map(loom::FunctionStats::calls).collect();
    calls.sort_unstable();
    assert_eq!(calls, [1, 3]);
    assert!(small().functions().is_empty(), "each runtime keeps its own statistics");
}

#[test]
fn a_panic_reaches_whoever_awaits_and_the_threads_survive() {
    let runtime = small();
    for hint in [ComputeHint::Low, ComputeHint::High] {
        // More often than there are threads.
        for _ in 0..5 {
            let awaited = AssertUnwindSafe(|| {
                let call = runtime.spawn_adaptive_with_hint(hint, || panic!("as {}", "told"));
                runtime.block_on(call)
            });
            let payload = catch_unwind(awaited).expect_err("the panic arrives");
            assert_eq!(message(&*payload), "as told");
        }
    }
    let payload = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(runtime.spawn_compute(|| std::panic::panic_any(7_u8)))
    }));
    assert_eq!(payload.expect_err("it arrives").downcast_ref(), Some(&7_u8));
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 42)), 42);
    let panicked: u64 = runtime.functions().iter().map(|function| function.panicked).sum();
    assert_eq!(panicked, 10);
    assert_eq!(runtime.compute_tasks_in_flight(), 0);
}

#[test]
fn a_panic_in_a_task_of_the_plain_pool_is_survived() {
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build().expect("it starts");
    runtime.rayon_pool().spawn(|| panic!("nobody waits for this"));
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 42)), 42);
}

#[test]
fn work_starts_at_the_call_and_runs_to_its_end_when_it_is_never_polled() {
    let runtime = small();
    let (sender, receiver) = mpsc::channel();
    let for_dropped = sender.clone();
    drop(runtime.spawn_compute(move || for_dropped.send("dropped")));
    runtime.spawn_compute(move || sender.send("detached")).detach();
    let ran: BTreeSet<_> = receiver.iter().collect();
    assert_eq!(ran, BTreeSet::from(["detached", "dropped"]));
}

#[test]
fn a_call_that_was_waited_for_and_dropped_never_starts() {
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build().expect("it starts");
    let (release, blocked) = mpsc::channel::<()>();
    let busy = runtime.spawn_compute(move || blocked.recv());
    let ran = Arc::new(AtomicBool::new(false));
    let for_call = Arc::clone(&ran);
    let mut given_up =
        Box::pin(runtime.spawn_adaptive(move || for_call.store(true, Ordering::Relaxed)));
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = &mut given_up => panic!("the only compute thread is busy"),
            () = std::future::ready(()) => {}
        }
    });
    drop(given_up);
    release.send(()).expect("the blocker waits");
    runtime.block_on(busy).expect("it was released");
    runtime.block_until_idle();
    assert!(!ran.load(Ordering::Relaxed));
    assert_eq!(runtime.functions()[0].abandoned, 1);
}

#[test]
fn every_thread_knows_its_runtime() {
    fn prefix() -> Option<String> {
        loom::current_runtime().map(|runtime| runtime.config().prefix.clone())
    }
    let outer = LoomBuilder::new().prefix("outer").build().expect("it starts");
    let inner = LoomBuilder::new().prefix("inner").build().expect("it starts");
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(prefix(), None);
    outer.block_on(async {
        assert_eq!(prefix(), named("outer"));
        assert_eq!(tokio::spawn(async { prefix() }).await.ok().flatten(), named("outer"));
        let blocking = tokio::task::spawn_blocking(prefix).await;
        assert_eq!(blocking.ok().flatten(), named("outer"));
        assert_eq!(loom::spawn_compute(prefix).await, named("outer"));
        assert_eq!(inner.spawn_compute(prefix).await, named("inner"));
    });
    assert_eq!(prefix(), None);
    // A nested `block_on` on a thread that may block gives the outer context back.
    let inner_in_outer = outer.tokio_handle().spawn_blocking(move || {
        let nested = inner.block_on(async { prefix() });
        (nested, prefix())
    });
    let seen = outer.block_on(inner_in_outer).expect("it does not panic");
    assert_eq!(seen, (named("inner"), named("outer")));
}

#[test]
fn tokio_works_on_compute_threads() {
    let runtime = small();
    let task = runtime.block_on(runtime.spawn_compute(|| {
        let handle = tokio::runtime::Handle::current();
        handle.spawn(async { tokio::spawn(async { thread_name() }).await })
    }));
    let name = runtime.block_on(task).expect("no panic").expect("no panic");
    assert!(name.starts_with("loom-tokio-"), "{name}");
}

#[test]
fn block_on_a_compute_thread_helps_instead_of_deadlocking() {
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build().expect("it starts");
    let for_call = runtime.clone();
    let depth = runtime.block_on(runtime.spawn_compute(move || {
        // The only compute thread waits for work that needs a compute thread, one call of
        // which is queued only once it waits.
        for_call.block_on(async {
            let direct = loom::spawn_compute(|| 1).await;
            let through_io = loom::spawn_async(async { loom::spawn_compute(|| 2).await });
            direct + through_io.await.expect("it does not panic")
        })
    }));
    assert_eq!(depth, 3);
}

#[test]
fn block_on_within_async_code_panics_instead_of_hanging() {
    let runtime = small();
    let inner = runtime.clone();
    let task = runtime.spawn_async(async move { inner.block_on(async {}) });
    let error = runtime.block_on(task).expect_err("it panics");
    assert!(error.is_panic());
}

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

#[test]
fn handles_can_be_shared_and_described() {
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug + std::fmt::Display>(_: &T) {}
    let runtime = small();
    is_shared(&runtime);
    assert!(format!("{runtime:?}").contains("tokio_threads: 2"));
}
