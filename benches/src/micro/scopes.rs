//! What a scope with two parallel pieces of work costs, borrowing and owning; and what it does
//! to the other tasks of its worker.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use loom::{LoomBuilder, LoomRuntime};
use tokio::runtime::Handle;

use super::sample::burn;
use super::{Scenario, Seen};
use crate::allocations;

/// In the order of the table. What Loom is compared with comes first: a scope on the pool,
/// within a job that reports by a channel, which has to own its data.
pub(super) const CONTENDERS: [&str; 4] =
    ["rayon-scope-oneshot", "loom-rs-scope", "loom-scope", "loom-scope-with"];

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "scope-empty", callers: 1, micros: 0 },
    Scenario { name: "scope-20us", callers: 1, micros: 20 },
    Scenario { name: "scope-500us", callers: 1, micros: 500 },
];

const WARM_UP: Duration = Duration::from_millis(30);

/// What the two pieces of work write to.
type Results = [u64; 2];

type Scope = Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = Results> + Send>> + Send + Sync>;

fn loom_runtime() -> LoomRuntime {
    LoomBuilder::new().tokio_threads(2).rayon_threads(2).build().expect("loom starts")
}

fn contender(name: &str) -> Option<(Handle, Scope, Box<dyn Send>)> {
    Some(match name {
        "rayon-scope-oneshot" => {
            let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
            let tokio = tokio.expect("tokio starts");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
            let pool = Arc::new(pool.expect("rayon starts"));
            let scope: Scope = Box::new(move |work| {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                pool.spawn(move || {
                    let mut results = [0; 2];
                    rayon::scope(|scope| {
                        for result in &mut results {
                            scope.spawn(move |_| *result = burn(work));
                        }
                    });
                    // The caller waits.
                    let _ = sender.send(results);
                });
                Box::pin(async move { receiver.await.expect("the scope ran") })
            });
            (tokio.handle().clone(), scope, Box::new(tokio))
        }
        "loom-rs-scope" => {
            let runtime = Arc::new(loom_rs::LoomBuilder::new().build().expect("loom-rs starts"));
            let of_scope = Arc::clone(&runtime);
            let scope: Scope = Box::new(move |work| {
                let runtime = Arc::clone(&of_scope);
                Box::pin(async move {
                    let mut results = [0; 2];
                    runtime
                        .scope_compute(|scope| {
                            for result in &mut results {
                                scope.spawn(move |_| *result = burn(work));
                            }
                        })
                        .await;
                    results
                })
            });
            (runtime.tokio_handle().clone(), scope, Box::new(runtime))
        }
        "loom-scope" => {
            let runtime = loom_runtime();
            let of_scope = runtime.clone();
            let scope: Scope = Box::new(move |work| {
                let runtime = of_scope.clone();
                Box::pin(async move {
                    let mut results = [0; 2];
                    runtime
                        .scope_compute(|scope| {
                            for result in &mut results {
                                scope.spawn(move |_| *result = burn(work));
                            }
                        })
                        .await;
                    results
                })
            });
            (runtime.tokio_handle().clone(), scope, Box::new(runtime))
        }
        "loom-scope-with" => {
            let runtime = loom_runtime();
            let of_scope = runtime.clone();
            let scope: Scope = Box::new(move |work| {
                let state = [const { std::sync::atomic::AtomicU64::new(0) }; 2];
                let scope = of_scope.scope_compute_with(state, move |scope, state| {
                    for result in state {
                        scope.spawn(move |_| result.store(burn(work), Ordering::Relaxed));
                    }
                });
                Box::pin(async move { scope.await.0.map(std::sync::atomic::AtomicU64::into_inner) })
            });
            (runtime.tokio_handle().clone(), scope, Box::new(runtime))
        }
        _ => return None,
    })
}

/// One sample of one contender.
pub(super) fn measure(name: &str, scenario: &Scenario, length: Duration) -> Option<Seen> {
    let (tokio, scope, runtime) = contender(name)?;
    let (scope, work) = (Arc::new(scope), Duration::from_micros(scenario.micros));
    scopes(&tokio, &scope, work, WARM_UP);
    let (allocations, bytes) = (allocations::count(), allocations::bytes());
    let (made, took) = scopes(&tokio, &scope, work, length);
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let a_scope = |figure: u64| figure as f64 / made.max(1) as f64;
    let seen = Seen {
        nanos: took.as_secs_f64() * 1e9 * a_scope(1),
        allocations: a_scope(allocations::count() - allocations),
        bytes: a_scope(allocations::bytes() - bytes),
    };
    drop((scope, runtime));
    Some(seen)
}

fn scopes(tokio: &Handle, scope: &Arc<Scope>, work: Duration, length: Duration) -> (u64, Duration) {
    let is_over = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let task = {
        let (scope, is_over) = (Arc::clone(scope), Arc::clone(&is_over));
        tokio.spawn(async move {
            let mut made = 0;
            while !is_over.load(Ordering::Relaxed) {
                black_box(scope(work).await);
                made += 1;
            }
            made
        })
    };
    std::thread::sleep(length);
    is_over.store(true, Ordering::Relaxed);
    let made = tokio.block_on(task).expect("nobody panics");
    (made, started.elapsed())
}

/// How late a task is that the same I/O worker has ready when it polls a scope of 5 ms: the
/// median, the 99th percentile and the most, in microseconds.
pub(super) fn lateness(scopes: usize) -> [f64; 3] {
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build();
    let runtime = runtime.expect("loom starts");
    let of_task = runtime.clone();
    let task = runtime.spawn_async(async move {
        let mut late = Vec::new();
        for _ in 0..scopes {
            let ready = Instant::now();
            // Behind this task, on the queue of its worker.
            let neighbour = tokio::spawn(async move { ready.elapsed() });
            of_task.scope_compute(|_| black_box(burn(Duration::from_millis(5)))).await;
            late.push(neighbour.await.expect("it does not panic").as_secs_f64() * 1e6);
        }
        late
    });
    let mut late = runtime.block_on(task).expect("nobody panics");
    late.sort_by(f64::total_cmp);
    let at = |share: usize| late[(late.len() * share / 100).min(late.len() - 1)];
    [at(50), at(99), at(100)]
}
