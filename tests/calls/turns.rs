//! A caller that waits on the spot, beside a task that makes no calls.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use loom::LoomBuilder;
use tokio::task::yield_now;

/// Calls that are awaited one after the other.
async fn calls(count: usize) {
    for _ in 0..count {
        // Shorter than a wake, however it is compiled.
        loom::spawn_compute(|| (0..300).for_each(|n| _ = black_box(n))).await;
    }
}

/// While a call is waited for on the spot, other tasks of the worker wait, too. Those that make no
/// calls are not seen, so the caller yields every now and then.
#[test]
fn a_task_that_makes_no_calls_gets_its_turns() {
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build().expect("it builds");
    runtime.block_on(async {
        let task = loom::spawn_async(async {
            // The caller counts as alone, and how long its calls take is known.
            calls(2_000).await;
            let is_over = Arc::new(AtomicBool::new(false));
            let turns = Arc::new(AtomicUsize::new(0));
            let other = loom::spawn_async({
                let (is_over, turns) = (Arc::clone(&is_over), Arc::clone(&turns));
                async move {
                    while !is_over.load(Ordering::Relaxed) {
                        turns.fetch_add(1, Ordering::Relaxed);
                        yield_now().await;
                    }
                }
            });
            calls(5_000).await;
            is_over.store(true, Ordering::Relaxed);
            other.await.expect("no panic");
            turns.load(Ordering::Relaxed)
        });
        let turns = task.await.expect("no panic");
        assert!(turns > 5_000 / 20, "{turns} turns beside 5000 calls");
    });
}
