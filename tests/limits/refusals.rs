//! Calls that would rather be refused than wait.

use std::sync::{Arc, Condvar, Mutex};

use loom::{ComputeError, try_call};
use tokio::sync::Semaphore;

use super::{AtOnce, Door, at_limit, holds, one_somewhere, runtime, stats};

#[loom::compute(hint = "low")]
async fn calls_one_that_is_full(door: Arc<Door>, begun: Arc<Semaphore>) -> u32 {
    holds(door, begun).await;
    7
}

/// What a call itself calls may wait, whether or not the outer one is settled.
#[test]
fn only_the_outer_call_would_rather_be_refused() {
    let runtime = runtime(2, 4);
    let open = || Arc::new(Door(Mutex::new(true), Condvar::new()));
    runtime.block_on(async {
        let begun = Arc::new(Semaphore::new(0));
        for _ in 0..100 {
            calls_one_that_is_full(open(), Arc::clone(&begun)).await;
        }
        begun.forget_permits(100);
        for _ in 0..20 {
            let door = Arc::new(Door::default());
            let held = loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
            begun.acquire().await.expect("open").forget();
            let outer = try_call(calls_one_that_is_full(open(), Arc::clone(&begun)));
            let outer = loom::spawn_async(outer);
            while at_limit(&runtime, "::holds") != Some((1, 1)) && !outer.is_finished() {
                tokio::task::yield_now().await;
            }
            door.open();
            assert!(matches!(outer.await.expect("no panic"), Ok(7)));
            held.await.expect("no panic");
            begun.acquire().await.expect("open").forget();
        }
    });
}

/// Two callers that would rather be refused, and one place: one of them is.
#[test]
fn nobody_who_would_rather_be_refused_waits() {
    let runtime = runtime(4, 4);
    let at_once = Arc::new(AtOnce::default());
    runtime.block_on(async {
        for _ in 0..200 {
            let calls: Vec<_> = (0..4)
                .map(|_| loom::spawn_async(try_call(one_somewhere(Arc::clone(&at_once)))))
                .collect();
            for call in calls {
                let ended = call.await.expect("no panic");
                assert!(matches!(ended, Ok(()) | Err(ComputeError::AtLimit { limit: 1 })));
            }
        }
    });
    let seen = stats(&runtime, "one_somewhere");
    assert_eq!(seen.limit_waits.count(), 0);
    assert_eq!(seen.calls() + seen.refused, 800, "each ran or was refused: {seen:?}");
}
