//! Paused time: it stands still while there is work, and jumps when there is none.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loom::time::TimeoutError;
use loom::{ComputeStreamExt, LoomBuilder, TokioFlavor};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt;

const HOUR: Duration = Duration::from_secs(3600);

/// Takes real time, during which an idle runtime would advance its paused time.
fn long(rounds: u64) -> u64 {
    (0..rounds * 100_000).fold(1, |sum: u64, n| std::hint::black_box(sum.rotate_left(7) ^ n))
}

#[loom::compute(hint = "high")]
fn annotated(rounds: u64) -> u64 {
    long(rounds)
}

#[loom::test(start_paused)]
async fn time_stands_still_while_compute_work_is_in_flight() {
    let start = Instant::now();
    for _ in 0..20 {
        assert!(timeout(HOUR, loom::spawn_compute(|| long(20))).await.is_ok());
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[loom::test(start_paused, arm = "both")]
async fn on_either_arm() {
    let start = Instant::now();
    assert!(timeout(HOUR, annotated(20)).await.is_ok());
    sleep(HOUR).await;
    assert!(timeout(HOUR, annotated(20)).await.is_ok());
    assert_eq!(start.elapsed(), HOUR);
}

#[loom::test(start_paused)]
async fn an_hour_of_timeouts_is_over_at_once() {
    let start = Instant::now();
    for n in 0..3600 {
        let slow = async {
            assert_eq!(loom::spawn_compute(move || n).await, n);
            sleep(HOUR).await;
        };
        assert!(timeout(Duration::from_secs(1), slow).await.is_err());
    }
    assert_eq!(start.elapsed(), HOUR);
}

#[loom::test(start_paused)]
async fn a_runtimes_clock_has_the_same_time() {
    let runtime = loom::current_runtime().expect("the test's");
    let clock = runtime.clock().clone();
    let (watch, start, of_day) = (clock.stopwatch(), Instant::now(), clock.system_time());
    clock.delay(HOUR).await.expect("it is driven");
    assert_eq!((watch.elapsed(), start.elapsed()), (HOUR, HOUR));
    sleep(HOUR).await;
    assert_eq!(watch.elapsed(), 2 * HOUR);
    assert_eq!(clock.system_time().duration_since(of_day).ok(), Some(2 * HOUR));
    let late = clock.timeout(HOUR, sleep(2 * HOUR)).await;
    assert_eq!(late, Err(TimeoutError::Elapsed));
    assert!(clock.timeout(HOUR, annotated(20)).await.is_ok());
    assert_eq!(watch.elapsed(), 3 * HOUR);
    // Compute threads see the same time.
    let elsewhere = clock.clone();
    let seen = loom::spawn_compute(move || elsewhere.instant()).await;
    assert_eq!(seen, clock.instant());
    let mut ticks = clock.periodic(HOUR);
    for _ in 0..3 {
        ticks.tick().await.expect("it is driven");
    }
    assert_eq!(watch.elapsed(), 5 * HOUR);
}

#[loom::test(start_paused)]
async fn every_kind_of_work_holds_it() {
    let start = Instant::now();
    let hour = || timeout(HOUR, std::future::pending::<()>());
    let tries = loom::try_spawn_compute(|| long(10));
    let panics = loom::try_spawn_compute(|| -> () { panic!("in compute") });
    let items = tokio_stream::iter(0..20).compute_map(|n| long(n % 3) & n);
    let held = async {
        assert!(tries.await.is_ok());
        assert!(panics.await.is_err());
        assert_eq!(items.collect::<Vec<_>>().await.len(), 20);
        let mut parts = [1, 2];
        loom::scope_compute(|scope| {
            for part in &mut parts {
                scope.spawn(move |_| *part += long(5) & 1);
            }
        })
        .await;
        loom::scope_compute_with(parts, |scope, parts| {
            let _ = (scope, parts);
            long(5)
        })
        .await
    };
    assert!(timeout(HOUR, held).await.is_ok());
    assert_eq!(start.elapsed(), Duration::ZERO);

    // A call that no caller awaits holds the time until it ends, and no longer.
    let ran = Arc::new(AtomicUsize::new(0));
    let count = |rounds| {
        let ran = Arc::clone(&ran);
        move || {
            long(rounds);
            ran.fetch_add(1, Ordering::SeqCst)
        }
    };
    drop(loom::spawn_compute(count(20)));
    assert!(hour().await.is_err());
    assert_eq!((ran.load(Ordering::SeqCst), start.elapsed()), (1, HOUR));
    // The result is awaited only later; time goes on after the call has ended.
    let later = loom::spawn_compute(count(1));
    assert!(hour().await.is_err());
    assert_eq!((later.await, start.elapsed()), (1, 2 * HOUR));
    // Abandoned while they wait in the queue.
    let behind: Vec<_> = (0..8).map(|_| loom::spawn_compute(count(20))).collect();
    for call in behind {
        let mut call = std::pin::pin!(call);
        std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
    }
    assert!(hour().await.is_err());
    assert_eq!(start.elapsed(), 3 * HOUR);
}

/// Runs tasks with timeouts around work of different lengths. Returns what happened, and when.
fn scenario() -> Vec<(u64, Duration, bool)> {
    let runtime =
        LoomBuilder::new().start_paused(true).rayon_threads(2).build().expect("it starts");
    let seen = Arc::new(Mutex::new(Vec::new()));
    runtime.block_on(async {
        let start = Instant::now();
        let task = |n: u64| {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                for round in 0..5 {
                    sleep(Duration::from_secs(n * 7 + round)).await;
                    let call = async {
                        annotated(n % 3).await;
                        sleep(Duration::from_secs(n)).await;
                    };
                    let in_time = timeout(Duration::from_secs(10), call).await.is_ok();
                    seen.lock().expect("no panic").push((n, start.elapsed(), in_time));
                }
            })
        };
        for task in (0..20).map(task).collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
    });
    let mut seen = std::mem::take(&mut *seen.lock().expect("no panic"));
    // Tasks that end at the same time end in any order.
    seen.sort_by_key(|(n, at, _)| (*at, *n));
    seen
}

#[test]
fn the_same_happens_twice() {
    let first = scenario();
    assert_eq!(first.len(), 100);
    assert!(first.iter().any(|(_, _, in_time)| *in_time));
    assert!(first.iter().any(|(_, _, in_time)| !in_time));
    assert_eq!(first, scenario());
}

#[test]
fn a_clock_that_begins_late_has_the_same_time() {
    let runtime =
        LoomBuilder::new().start_paused(true).rayon_threads(1).build().expect("it starts");
    // Real time goes on, paused time does not.
    long(500);
    let clock = runtime.clock().clone();
    runtime.block_on(async move {
        let watch = clock.stopwatch();
        clock.delay(Duration::from_millis(1)).await.expect("it is driven");
        assert_eq!(watch.elapsed(), Duration::from_millis(1));
    });
}

#[test]
fn a_runtime_ends_although_work_is_in_flight() {
    let runtime =
        LoomBuilder::new().start_paused(true).rayon_threads(1).build().expect("it starts");
    let (release, held) = std::sync::mpsc::channel::<()>();
    runtime.spawn_compute(move || held.recv().is_ok()).detach();
    drop(runtime);
    drop(release);
}

#[test]
fn only_one_thread_has_the_time() {
    let refused = |builder: LoomBuilder| {
        builder.start_paused(true).build().expect_err("it is refused").to_string()
    };
    let flavor = refused(LoomBuilder::new().tokio_flavor(TokioFlavor::MultiThread));
    assert!(flavor.contains("tokio_flavor") && flavor.contains("start_paused"), "{flavor}");
    assert!(refused(LoomBuilder::new().local_cores(1)).contains("local_cores"));
    assert!(refused(LoomBuilder::new().tokio_threads(2)).contains("tokio_threads"));
    let host = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    assert!(refused(LoomBuilder::new().beside(host.handle().clone())).contains("start_paused"));
    // `start_paused(false)` changes no other setting.
    let runtime = LoomBuilder::new().start_paused(false).rayon_threads(1).build();
    assert_eq!(runtime.expect("it starts").config().tokio_flavor, TokioFlavor::MultiThread);
}
