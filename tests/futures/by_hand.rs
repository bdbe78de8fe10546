//! Futures that are spawned by hand, also in plain tokio programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::{is_on_pool, runtime};

async fn sums(mut numbers: mpsc::Receiver<u64>) -> u64 {
    let mut sum = 0;
    while let Some(n) = numbers.recv().await {
        assert!(is_on_pool());
        sum += n;
    }
    sum
}

async fn feeds(sender: mpsc::Sender<u64>) {
    for n in 0..100 {
        sender.send(n).await.expect("it is received");
    }
}

#[test]
fn all_polls_run_on_the_pool() {
    let runtime = runtime(2, 2);
    runtime.block_on(async {
        let (sender, receiver) = mpsc::channel(1);
        let sum = loom::spawn_compute_future(sums(receiver));
        feeds(sender).await;
        assert_eq!(sum.await, 4950);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_plain_tokio_program_too() {
    let (sender, receiver) = mpsc::channel(1);
    let sum = loom::spawn_compute_future(async {
        tokio::spawn(async {}).await.expect("no panic");
        sums(receiver).await
    });
    feeds(sender).await;
    assert_eq!(sum.await, 4950);
    assert_eq!(loom::try_spawn_adaptive_future(async { 1 }).await.expect("no error"), 1);
}

#[tokio::test]
async fn on_a_current_thread_runtime_too() {
    let (sender, receiver) = mpsc::channel(1);
    let sum = loom::spawn_compute_future(async {
        tokio::time::interval(std::time::Duration::from_millis(1)).tick().await;
        sums(receiver).await
    });
    feeds(sender).await;
    assert_eq!(sum.await, 4950);
}

#[test]
fn an_adaptive_future_goes_on_while_nobody_awaits_it() {
    let runtime = runtime(1, 1);
    let polls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&polls);
    runtime.block_on(async {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let call = loom::spawn_adaptive_future(async move {
            for _ in 0..3 {
                seen.fetch_add(1, Ordering::SeqCst);
                loom::yield_now().await;
            }
            sender.send(()).expect("it is received");
            7
        });
        receiver.await.expect("it goes on");
        assert_eq!(polls.load(Ordering::SeqCst), 3);
        assert_eq!(call.await, 7);
    });
}

#[test]
fn a_full_queue_refuses_a_new_future_and_not_one_that_has_begun() {
    let runtime = loom::LoomBuilder::new()
        .tokio_threads(1)
        .rayon_threads(1)
        .compute_queue(1)
        .compute_priority(loom::ComputePriority::Normal)
        .build()
        .expect("a runtime");
    let (release, held_up) = std::sync::mpsc::channel::<()>();
    let (begins, begun) = std::sync::mpsc::channel();
    let (wakes, woken) = tokio::sync::oneshot::channel::<()>();
    let (waits, waiting) = std::sync::mpsc::channel();
    let begun_already = runtime.spawn_compute_future(async move {
        waits.send(()).expect("it is received");
        woken.await.is_ok()
    });
    waiting.recv().expect("it waits, or is about to");
    let blocker = runtime.spawn_compute(move || {
        begins.send(()).expect("it is received");
        held_up.recv()
    });
    begun.recv().expect("it runs");
    let queued = runtime.spawn_compute(|| 2);
    wakes.send(()).expect("it is received");
    let refused = runtime.block_on(runtime.try_spawn_compute_future(async { 3 }));
    assert!(matches!(refused, Err(loom::ComputeError::QueueFull { limit: 1 })));
    drop(release);
    assert!(runtime.block_on(blocker).is_err());
    assert_eq!(runtime.block_on(queued), 2);
    assert!(runtime.block_on(begun_already));
}

/// Spawns that are nested take a stack of their own in time.
fn nested(n: u32) -> loom::SpawnedFuture<u32> {
    loom::spawn_adaptive_future(async move { if n == 0 { 0 } else { nested(n - 1).await + 1 } })
}

#[test]
fn spawns_within_spawns_do_not_overflow_the_stack() {
    let runtime = runtime(1, 1);
    assert_eq!(runtime.block_on(async { nested(10_000).await }), 10_000);
}

/// Wherever it is spawned and awaited, its polls find the runtime's timers.
#[test]
fn an_adaptive_future_finds_its_own_runtime() {
    let runtime = runtime(2, 1);
    let ticks = || {
        runtime.spawn_adaptive_future(async {
            tokio::time::interval(std::time::Duration::from_millis(1)).tick().await;
        })
    };
    let other = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for _ in 0..100 {
        // It has no timers of its own.
        other.block_on(ticks());
    }
}
