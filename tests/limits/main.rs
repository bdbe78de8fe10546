//! Functions with a limit of calls that run at a time.

#[cfg(target_os = "linux")]
mod memory;
mod refusals;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use loom::tower::LoadShedLayer;
use loom::{
    ComputeError, ComputePriority, FunctionStats, LoomBuilder, LoomRuntime, Mode, Override,
    try_call,
};
use tokio::sync::Semaphore;
use tower::ServiceExt;

fn runtime(workers: usize, compute: usize) -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(workers)
        .rayon_threads(compute)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("a runtime")
}

/// How many calls run and wait; `None` before the first one.
fn at_limit(runtime: &LoomRuntime, name: &str) -> Option<(usize, usize)> {
    let mut functions = runtime.functions().into_iter();
    functions.find(|function| function.name.ends_with(name))?.at_limit
}

fn stats(runtime: &LoomRuntime, name: &str) -> FunctionStats {
    let mut functions = runtime.functions().into_iter();
    functions.find(|function| function.name.ends_with(name)).expect("it was called")
}

/// Counts how many of its guards exist at a time.
#[derive(Default)]
struct AtOnce {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct One(Arc<AtOnce>);

impl AtOnce {
    fn enter(self: &Arc<Self>) -> One {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        One(Arc::clone(self))
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Gives other threads the time to run beside this one.
fn passes() {
    (0..50).for_each(|_| std::thread::yield_now());
}

#[loom::compute(mode = "offload", max_concurrent = 2)]
fn two_on_the_pool(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
    passes();
}

const THREE: u32 = 3;

#[loom::compute(mode = "offload", max_concurrent = THREE)]
async fn three_that_await(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[loom::compute(mode = "inline", max_concurrent = 1)]
fn one_inline(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
    passes();
}

#[loom::compute(max_concurrent = 1)]
fn one_somewhere(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
}

#[test]
fn no_more_run_at_a_time_on_any_arm() {
    let runtime = runtime(4, 4);
    runtime.block_on(async {
        macro_rules! flood {
            ($function:ident, $most:expr) => {
                let at_once = Arc::new(AtOnce::default());
                let calls: Vec<_> =
                    (0..100).map(|_| loom::spawn_async($function(Arc::clone(&at_once)))).collect();
                for call in calls {
                    call.await.expect("no panic");
                }
                assert!((1..=$most).contains(&at_once.most()), "{}", at_once.most());
                let seen = stats(&runtime, stringify!($function));
                assert_eq!((seen.max_concurrent, seen.at_limit), (Some($most), Some((0, 0))));
            };
        }
        flood!(two_on_the_pool, 2);
        flood!(three_that_await, 3);
        flood!(one_inline, 1);
        flood!(one_somewhere, 1);
    });
    let seen = stats(&runtime, "two_on_the_pool");
    assert_eq!((seen.calls(), seen.returned), (100, 100));
    assert_eq!(stats(&runtime, "one_inline").offloaded, 0);
}

/// Lets threads go on when told.
#[derive(Default)]
struct Door(Mutex<bool>, Condvar);

impl Door {
    fn pass(&self) {
        let open = self.0.lock().expect("no panic");
        drop(self.1.wait_while(open, |open| !*open).expect("no panic"));
    }

    fn open(&self) {
        *self.0.lock().expect("no panic") = true;
        self.1.notify_all();
    }
}

#[loom::compute(mode = "offload", max_concurrent = 1)]
fn holds(door: Arc<Door>, begun: Arc<Semaphore>) {
    begun.add_permits(1);
    door.pass();
}

#[test]
fn a_caller_that_leaves_frees_nothing_before_the_work_has_ended() {
    let runtime = runtime(2, 4);
    let (door, begun) = (Arc::new(Door::default()), Arc::new(Semaphore::new(0)));
    runtime.block_on(async {
        let first = loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        begun.acquire().await.expect("open").forget();
        first.abort();
        assert!(first.await.is_err_and(|error| error.is_cancelled()));
        let refused = try_call(holds(Arc::clone(&door), Arc::clone(&begun))).await;
        assert!(matches!(refused, Err(ComputeError::AtLimit { limit: 1 })), "{refused:?}");
        let told = refused.expect_err("it was refused").to_string();
        assert!(told.starts_with("1 calls of the function run already"), "{told}");
        // One that waits and leaves takes nothing.
        let waits = loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        while at_limit(&runtime, "::holds") != Some((1, 1)) {
            tokio::task::yield_now().await;
        }
        waits.abort();
        assert!(waits.await.is_err_and(|error| error.is_cancelled()));
        let second = loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        door.open();
        second.await.expect("no panic");
        assert!(try_call(holds(Arc::clone(&door), begun)).await.is_ok());
    });
    runtime.block_until_idle();
    let seen = stats(&runtime, "::holds");
    assert_eq!((seen.at_limit, seen.refused, seen.abandoned), (Some((0, 0)), 1, 2), "{seen:?}");
}

#[test]
fn an_override_reaches_those_that_wait() {
    let runtime = runtime(2, 4);
    let (door, begun) = (Arc::new(Door::default()), Arc::new(Semaphore::new(0)));
    runtime.block_on(async {
        let call = || loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        let calls: Vec<_> = (0..4).map(|_| call()).collect();
        while at_limit(&runtime, "::holds") != Some((1, 3)) {
            tokio::task::yield_now().await;
        }
        let over = Override::none().with_max_concurrent(3);
        runtime.override_function("limits::holds", over);
        begun.acquire_many(3).await.expect("open").forget();
        assert_eq!(at_limit(&runtime, "::holds"), Some((3, 1)));
        door.open();
        for call in calls {
            call.await.expect("no panic");
        }
    });
}

#[loom::compute(scope, mode = "offload")]
fn borrows(text: &str) -> usize {
    text.len()
}

#[test]
fn a_limit_is_reported_where_it_is_kept() {
    let runtime = runtime(1, 1);
    runtime.block_on(async {
        borrows("a").await;
        loom::spawn_adaptive(|| 1).await;
    });
    runtime.override_function("*", Override::none().with_max_concurrent(1));
    runtime.block_on(async {
        borrows("a").await;
        loom::spawn_adaptive(|| 1).await;
    });
    assert!(runtime.functions().iter().all(|function| function.max_concurrent.is_none()));
}

#[loom::compute(mode = "inline", max_concurrent = 1)]
async fn one_that_awaits(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
    tokio::task::yield_now().await;
}

/// A call that waited, or never ran, is counted as what it was.
#[test]
fn waits_are_not_counted_as_runs() {
    let runtime = runtime(4, 1);
    let at_once = Arc::new(AtOnce::default());
    runtime.block_on(async {
        let calls: Vec<_> =
            (0..100).map(|_| loom::spawn_async(one_that_awaits(Arc::clone(&at_once)))).collect();
        for call in calls {
            call.await.expect("no panic");
        }
    });
    let functions = runtime.functions().into_iter();
    let first = functions.filter(|function| function.name.ends_with("one_that_awaits"));
    let first = first.min_by_key(|function| function.after.map(|wake| wake as u8));
    let first = first.expect("it was called");
    assert_eq!((first.calls(), first.returned), (100, 100), "first polls: {first:?}");
    assert_eq!(at_once.most(), 1);
}

#[loom::compute(mode = "offload", max_concurrent = 1)]
fn panics(_n: u32) {
    panic!("as it should");
}

#[loom::compute(mode = "offload", max_concurrent = 1)]
async fn panics_later(_n: u32) {
    tokio::task::yield_now().await;
    panic!("as it should");
}

#[test]
fn a_panic_gives_the_permit_back() {
    let runtime = runtime(1, 1);
    runtime.block_on(async {
        for n in 0..3 {
            for failed in [try_call(panics(n)).await, try_call(panics_later(n)).await] {
                let Err(ComputeError::Panicked(panic)) = failed else { panic!("{failed:?}") };
                assert_eq!(format!("{panic:?}"), "ComputePanic(\"as it should\")");
            }
        }
    });
}

#[loom::compute(mode = "offload", size = n)]
fn of_size(n: u64, at_once: Arc<AtOnce>) -> u64 {
    let _one = at_once.enter();
    passes();
    n
}

#[test]
fn an_override_limits_a_function_and_lifts_the_limit() {
    let runtime = runtime(4, 4);
    let flood = |calls: u64| {
        let at_once = Arc::new(AtOnce::default());
        runtime.block_on(async {
            let calls: Vec<_> = (0..calls)
                .map(|n| loom::spawn_async(of_size(1 << (n % 20), Arc::clone(&at_once))))
                .collect();
            for call in calls {
                call.await.expect("no panic");
            }
        });
        at_once.most()
    };
    flood(1);
    let over = Override::none().with_max_concurrent(1);
    assert_eq!(runtime.override_function("limits::of_size", over).functions, 1);
    assert_eq!(flood(40), 1, "whatever the size");
    assert_eq!(stats(&runtime, "of_size").max_concurrent, Some(1));
    let more = Override::from(Mode::Inline).with_max_concurrent(2);
    runtime.override_function("limits::of_size", more);
    assert!(flood(40) <= 2);
    runtime.override_function("limits::of_size", Override::none());
    assert_eq!(stats(&runtime, "of_size").max_concurrent, None);
    flood(40);
}

async fn ask(router: &Router) -> StatusCode {
    let request = Request::get("/").body(Body::empty()).expect("a request");
    router.clone().oneshot(request).await.expect("it does not fail").status()
}

#[test]
fn the_layer_is_told_of_a_wait_for_the_limit() {
    let runtime = runtime(2, 4);
    let (door, begun) = (Arc::new(Door::default()), Arc::new(Semaphore::new(0)));
    let wait = || runtime.would_wait_for("limits::held_long", Duration::from_millis(3));
    runtime.block_on(async {
        let shed = LoadShedLayer::new(Duration::from_millis(3));
        let router: Router = Router::new().route("/", get(|| held_long(None)).layer(shed));
        for _ in 0..8 {
            assert_eq!(ask(&router).await, StatusCode::OK);
        }
        assert_eq!(wait(), None);
        let first = loom::spawn_async(held_long(Some((Arc::clone(&door), Arc::clone(&begun)))));
        begun.acquire().await.expect("open").forget();
        let waiting: Vec<_> = (0..4).map(|_| loom::spawn_async(held_long(None))).collect();
        while at_limit(&runtime, "held_long") != Some((1, 4)) {
            tokio::task::yield_now().await;
        }
        assert!(wait().is_some(), "five calls of two milliseconds are before it");
        // The router wraps its services anew for each request, as axum does for each connection.
        assert_eq!(ask(&router).await, StatusCode::SERVICE_UNAVAILABLE);
        door.open();
        first.await.expect("no panic");
        for call in waiting {
            call.await.expect("no panic");
        }
        assert_eq!(wait(), None);
    });
}

#[loom::compute(mode = "offload", max_concurrent = 1)]
fn held_long(held: Option<(Arc<Door>, Arc<Semaphore>)>) {
    if let Some((door, begun)) = held {
        begun.add_permits(1);
        door.pass();
    } else {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
    }
}

#[test]
fn a_shutdown_waits_for_those_that_wait() {
    let runtime = runtime(2, 2);
    let (door, begun) = (Arc::new(Door::default()), Arc::new(Semaphore::new(0)));
    let calls: Vec<_> = runtime.block_on(async {
        let call = || loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        let calls = (0..3).map(|_| call()).collect();
        begun.acquire().await.expect("open").forget();
        while at_limit(&runtime, "::holds") != Some((1, 2)) {
            tokio::task::yield_now().await;
        }
        calls
    });
    runtime.shutdown();
    door.open();
    runtime.block_until_idle();
    assert_eq!(stats(&runtime, "::holds").limit_waits.count(), 2);
    // Tokio says so a moment after the work has ended.
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        std::thread::yield_now();
    }
}
