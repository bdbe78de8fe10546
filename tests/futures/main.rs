//! Compute futures: functions that compute and await.

mod by_hand;
mod ends;
mod inside;
mod placing;
mod shapes;
mod streams;

use std::time::{Duration, Instant};

use loom::{ComputePriority, LoomBuilder, LoomRuntime};

/// A runtime with so many compute threads, of normal priority, so that a busy machine delays none.
fn runtime(workers: usize, compute: usize) -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(workers)
        .rayon_threads(compute)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("a runtime")
}

/// Whether the calling thread is a compute thread. Under load, compute work of a program without settings
/// moves to the threads of normal priority.
fn is_on_pool() -> bool {
    let pools = ["-rayon-", "-norm-", "-spare-"];
    std::thread::current().name().is_some_and(|name| pools.iter().any(|pool| name.contains(pool)))
}

fn spin(time: Duration) {
    let since = Instant::now();
    while since.elapsed() < time {
        std::hint::spin_loop();
    }
}
