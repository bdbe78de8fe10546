//! Deadlines: what has no time left does not start, and what is called inherits them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loom::{
    ComputeError, ComputePriority, DeadlineExceeded, FunctionStats, LoomBuilder, LoomRuntime,
    try_call, with_deadline,
};
use tokio::sync::Semaphore;

fn runtime(workers: usize, compute: usize) -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(workers)
        .rayon_threads(compute)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("a runtime")
}

fn stats(runtime: &LoomRuntime, name: &str) -> FunctionStats {
    let mut functions = runtime.functions().into_iter();
    functions.find(|function| function.name.ends_with(name)).expect("it was called")
}

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[loom::compute(mode = "offload")]
fn on_the_pool() -> Option<Instant> {
    loom::deadline()
}

#[loom::compute(mode = "inline")]
fn inline() -> Option<Instant> {
    loom::deadline()
}

#[loom::compute(mode = "offload")]
async fn awaits() -> Option<Instant> {
    tokio::task::yield_now().await;
    let inner = on_the_pool().await;
    assert_eq!(inner, loom::deadline());
    inner
}

#[test]
fn what_is_called_inherits_it_on_either_arm() {
    let runtime = runtime(2, 2);
    runtime.block_on(async {
        let at = in_an_hour();
        let seen = with_deadline(at, async {
            let mut parts = [None; 2];
            loom::scope_compute(|scope| {
                for part in &mut parts {
                    scope.spawn(move |_| *part = loom::deadline());
                }
            })
            .await;
            let own = loom::spawn_compute(loom::deadline).await;
            [on_the_pool().await, inline().await, awaits().await, own, parts[0], parts[1]]
        });
        assert_eq!(seen.await, Ok([Some(at); 6]));
        // A later one changes nothing, and an earlier one counts within.
        let (sooner, at, later) = (at, at + Duration::from_secs(9), at + Duration::from_secs(18));
        let within = with_deadline(at, async {
            [
                with_deadline(later, on_the_pool()).await,
                with_deadline(sooner, on_the_pool()).await,
                Ok(on_the_pool().await),
            ]
        });
        assert_eq!(within.await, Ok([Ok(Some(at)), Ok(Some(sooner)), Ok(Some(at))]));
        // Nothing is left behind, on any thread.
        for _ in 0..8 {
            assert_eq!((on_the_pool().await, inline().await, awaits().await), (None, None, None));
        }
    });
}

#[loom::compute(mode = "offload")]
fn counts(begun: Arc<AtomicUsize>) -> usize {
    begun.fetch_add(1, Ordering::SeqCst)
}

#[loom::compute(mode = "inline")]
fn counts_inline(begun: Arc<AtomicUsize>) -> usize {
    begun.fetch_add(1, Ordering::SeqCst)
}

#[loom::compute(mode = "offload")]
async fn counts_and_awaits(begun: Arc<AtomicUsize>) -> usize {
    begun.fetch_add(1, Ordering::SeqCst)
}

#[test]
fn an_expired_call_never_starts() {
    let runtime = runtime(2, 2);
    let begun = Arc::new(AtomicUsize::new(0));
    let begins = || Arc::clone(&begun);
    runtime.block_on(async {
        let past = Instant::now();
        assert!(with_deadline(past, counts(begins())).await.is_err());
        // The deadline passes within the future, before the call is made.
        let soon = || Instant::now() + Duration::from_millis(5);
        for call in 0..3 {
            let begins = begins();
            let at = soon();
            let late = with_deadline(at, async move {
                while Instant::now() < at {
                    std::hint::spin_loop();
                }
                match call {
                    0 => counts(begins).await,
                    1 => counts_inline(begins).await,
                    _ => counts_and_awaits(begins).await,
                }
            });
            let error = late.await.expect_err("it is too late");
            let name = ["counts", "counts_inline", "counts_and_awaits"][call];
            assert!(error.function.is_some_and(|function| function.ends_with(name)), "{error}");
            assert!(error.to_string().contains("was exceeded by"), "{error}");
        }
    });
    assert_eq!(begun.load(Ordering::SeqCst), 0);
    assert_eq!(stats(&runtime, "::counts").expired, 1);
    assert_eq!(stats(&runtime, "::counts_inline").expired, 1);
}

#[loom::compute(mode = "offload")]
fn holds(begun: Arc<Semaphore>) -> usize {
    begun.add_permits(1);
    let mut looks = 1;
    while !loom::is_cancelled() {
        looks += 1;
    }
    looks
}

#[test]
fn what_runs_sees_that_it_is_over_and_what_waits_is_dropped() {
    let runtime = runtime(2, 1);
    let (begun, counted) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        let soon = Instant::now() + Duration::from_millis(20);
        let runs = loom::spawn_async(with_deadline(soon, holds(Arc::clone(&begun))));
        begun.acquire().await.expect("open").forget();
        // The one thread is taken.
        let waits = with_deadline(soon, counts(Arc::clone(&counted))).await;
        let error = waits.expect_err("it waited for too long");
        assert!(error.by < Duration::from_secs(5), "{error}");
        // It may have ended just before its caller left.
        drop(runs.await.expect("no panic"));
        // Goes on when the thread is free.
        assert_eq!(counts(Arc::clone(&counted)).await, 0);
    });
    runtime.block_until_idle();
    assert_eq!(counted.load(Ordering::SeqCst), 1);
}

#[loom::compute(mode = "inline")]
fn holds_inline() -> bool {
    while !loom::is_cancelled() {
        std::hint::spin_loop();
    }
    loom::deadline().is_some_and(|at| Instant::now() >= at)
}

#[test]
fn what_runs_inline_sees_that_it_is_over() {
    let runtime = runtime(1, 1);
    let soon = Instant::now() + Duration::from_millis(5);
    // It is done, if late.
    assert_eq!(runtime.block_on(with_deadline(soon, holds_inline())), Ok(true));
}

/// A call that could not end in time does not begin, so that the thread serves one that can.
#[test]
fn a_call_without_time_enough_makes_room_for_one_that_has() {
    let runtime = runtime(2, 1);
    let begun = Arc::new(Semaphore::new(0));
    runtime.block_on(async {
        for _ in 0..8 {
            takes_fifty(None).await;
        }
        let held = loom::spawn_async(takes_fifty(Some(Arc::clone(&begun))));
        begun.acquire().await.expect("open").forget();
        // It waits for the rest of fifty milliseconds, and would take fifty more.
        // A timer would drop it later.
        let soon = Instant::now() + Duration::from_millis(90);
        let error = with_deadline(soon, takes_fifty(None)).await.expect_err("there is no time");
        assert!(error.function.is_some_and(|name| name.ends_with("takes_fifty")), "{error}");
        held.await.expect("no panic");
    });
    runtime.block_until_idle();
    let seen = stats(&runtime, "takes_fifty");
    assert_eq!((seen.returned, seen.expired, seen.abandoned), (9, 1, 0), "{seen:?}");
}

/// A function that was slow once is tried again, although no call seems to have time enough.
#[test]
fn a_function_that_was_slow_is_tried_again() {
    let runtime = runtime(1, 1);
    runtime.block_on(async {
        takes(Duration::from_millis(200)).await;
        let mut tries = 0;
        let answered = loop {
            let soon = Instant::now() + Duration::from_millis(100);
            if with_deadline(soon, takes(Duration::ZERO)).await.is_ok() {
                break tries;
            }
            tries += 1;
        };
        assert!(answered < 8, "after {answered} calls");
        // And then it is known to be fast.
        for _ in 0..100 {
            let soon = Instant::now() + Duration::from_millis(100);
            let _ = with_deadline(soon, takes(Duration::ZERO)).await;
        }
        let soon = Instant::now() + Duration::from_millis(100);
        assert_eq!(with_deadline(soon, takes(Duration::ZERO)).await, Ok(()));
    });
}

#[loom::compute(mode = "offload")]
fn takes(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[loom::compute(mode = "offload")]
fn takes_fifty(begun: Option<Arc<Semaphore>>) {
    begun.inspect(|begun| begun.add_permits(1));
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(50) {
        std::hint::spin_loop();
    }
}

#[loom::compute(mode = "offload", deadline = "20ms")]
fn has_no_time(_n: u32) -> bool {
    // Longer than a timer may be late.
    let began = Instant::now();
    while !loom::is_cancelled() || began.elapsed() < Duration::from_millis(200) {
        std::hint::spin_loop();
    }
    true
}

const SHORT: Duration = Duration::from_millis(20);

#[loom::compute(deadline = SHORT)]
async fn waits_for_ever(n: u32) -> u32 {
    std::future::pending::<()>().await;
    n
}

#[loom::compute(deadline = "1h")]
fn has_time(n: u32) -> (u32, bool) {
    (n, loom::deadline().is_some())
}

#[test]
fn an_attribute_sets_it() {
    let runtime = runtime(2, 2);
    runtime.block_on(async {
        for n in 0..100 {
            assert_eq!(has_time(n).await, (n, true));
        }
        let exceeded = |failed: Result<_, ComputeError>, name: &str| {
            let Err(ComputeError::Exceeded(DeadlineExceeded { function, .. })) = failed else {
                panic!("{failed:?}")
            };
            assert!(function.is_some_and(|function| function.ends_with(name)), "{function:?}");
        };
        exceeded(try_call(has_no_time(1)).await.map(|_| ()), "::has_no_time");
        exceeded(try_call(waits_for_ever(1)).await.map(|_| ()), "::waits_for_ever");
        // Within an earlier one, that one counts.
        let sooner = Instant::now() + Duration::from_millis(1);
        assert!(with_deadline(sooner, waits_for_ever(1)).await.is_err());
    });
}

/// Holds its thread for so many milliseconds.
#[loom::compute(mode = "offload", priority = "high")]
fn uneven(ms: u64) {
    let until = Instant::now() + Duration::from_millis(ms);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Its run times differ so much that four times the deviation is more than the whole deadline.
#[test]
fn a_function_of_uneven_calls_is_not_refused_for_good_while_others_wait() {
    let runtime = runtime(2, 1);
    runtime.block_on(async {
        for ms in [1, 400, 1, 400] {
            uneven(ms).await;
        }
        let others: Vec<_> = (0..50).map(|_| loom::spawn_compute(|| ())).collect();
        let at = Instant::now() + Duration::from_secs(1);
        assert_eq!(with_deadline(at, uneven(1)).await, Ok(()));
        for other in others {
            other.await;
        }
    });
    assert_eq!(stats(&runtime, "::uneven").expired, 0);
}
