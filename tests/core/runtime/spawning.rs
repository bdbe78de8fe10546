//! Work of every kind, its results, panics and cancellation.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use rayon::prelude::*;

use loom::{Arm, ComputeHint};

use crate::{message, small, thread_name, threads};

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
    assert_eq!(runtime.install(|| (0..1_000_u64).into_par_iter().sum::<u64>()), 499_500);
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
        // More panics than there are threads.
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
    let runtime = threads(1, 1).build().expect("it starts");
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
    let runtime = threads(1, 1).build().expect("it starts");
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
    let runtime = threads(1, 1).build().expect("it starts");
    let for_call = runtime.clone();
    let depth = runtime.block_on(runtime.spawn_compute(move || {
        // The only compute thread waits for calls that need a compute thread. One of them is
        // queued only once the thread waits.
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
fn a_function_that_always_panics_is_measured_all_the_same() {
    let runtime = small();
    for _ in 0..3 {
        let awaited = AssertUnwindSafe(|| {
            runtime.block_on(runtime.spawn_adaptive_with_hint(ComputeHint::Low, || panic!("told")))
        });
        assert!(catch_unwind(awaited).is_err());
    }
    let function = &runtime.functions()[0];
    assert_eq!((function.panicked, function.run_times.count()), (3, 3));
    assert!(function.mean.is_some());
}

#[test]
fn many_waits_on_one_compute_thread_do_not_overflow_its_stack() {
    let runtime = threads(1, 1).build().expect("it starts");
    let (release, wait) = tokio::sync::watch::channel(false);
    let calls: Vec<_> = (0..2_000)
        .map(|_| {
            let (inner, mut wait) = (runtime.clone(), wait.clone());
            runtime.spawn_compute(move || {
                inner.block_on(async { wait.wait_for(|released| *released).await.is_ok() })
            })
        })
        .collect();
    release.send_replace(true);
    for call in calls {
        assert!(runtime.block_on(call));
    }
}

#[test]
fn a_compute_thread_inside_another_runtimes_block_on_is_still_a_compute_thread() {
    let runtime = threads(1, 1).build().expect("it starts");
    let (own, other) = (runtime.clone(), small());
    let arm = runtime.spawn_compute(move || {
        other.block_on(async { own.spawn_adaptive_with_hint(ComputeHint::High, || ()).arm() })
    });
    assert_eq!(runtime.block_on(arm), Arm::InlineTokio);
}
