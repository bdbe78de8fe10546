//! The end of a runtime with ten thousand queued and running pieces of work, on every kind of
//! thread.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use loom::LoomRuntime;

use crate::small;

/// Ten thousand pieces of work, most of them queued and some running. The runtime's end has to
/// end them.
fn busy() -> (LoomRuntime, Arc<()>) {
    let runtime = small();
    let alive = Arc::new(());
    for i in 0..2_000 {
        let held = Arc::clone(&alive);
        // Every hundredth task keeps a handle and never drops it.
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

/// Waits until all work is dropped, on whichever thread and in whichever way it ended.
fn everything_is_dropped(alive: &Arc<()>) {
    while Arc::strong_count(alive) > 1 {
        thread::yield_now();
    }
}

#[test]
fn ten_thousand_pieces_of_work_end_with_their_runtime_on_any_thread() {
    type End = fn(LoomRuntime);
    let ends: [End; 3] = [
        // Tasks keep handles, so this is not the last handle.
        |runtime| assert!(!runtime.shutdown_background().is_nothing()),
        |runtime| assert!(!runtime.shutdown_timeout(Duration::ZERO).is_nothing()),
        |runtime| {
            let left = runtime.clone().shutdown_background();
            assert!(left.tasks >= 4_000, "{left}");
            drop(runtime);
        },
    ];
    for end in ends {
        // On a thread that belongs to no runtime.
        let (runtime, alive) = busy();
        end(runtime);
        everything_is_dropped(&alive);
        let (runtime, alive) = busy();
        thread::spawn(move || end(runtime)).join().expect("it does not panic");
        everything_is_dropped(&alive);
        // On a thread that has entered the runtime.
        let (runtime, alive) = busy();
        {
            let copy = runtime.clone();
            let _guard = copy.enter();
            end(runtime);
        }
        everything_is_dropped(&alive);
        // On the runtime's own blocking thread, on its compute thread, and in `block_in_place`.
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
        // On the compute and blocking threads of another runtime.
        let (runtime, alive) = busy();
        let other = small();
        other.block_on(other.spawn_compute(move || end(runtime)));
        everything_is_dropped(&alive);
        let (runtime, alive) = busy();
        other.block_on(other.spawn_blocking(move || end(runtime))).expect("it does not panic");
        everything_is_dropped(&alive);
    }
    // Where blocking is not allowed, `shutdown_background` is the only way; it works anywhere.
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
    /// The same without tasks that keep a handle.
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
            // The last handle is dropped on the runtime's own compute thread.
            let copy = runtime.clone();
            runtime.spawn_compute(move || drop(copy)).detach();
            drop(runtime);
        },
        |_, runtime| {
            // The last handle is dropped on the runtime's own worker.
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
