//! Load shedding: which requests pass, and what the others are answered.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::routing::post;
use http_body_util::BodyExt;
use hyper::body::Frame;
use loom::tower::{LoadShedLayer, Shed};
use loom::{ComputeFuture, ComputePriority, LoomBuilder, LoomRuntime, Override, Priority};
use tower::ServiceExt;

/// A builder of a runtime whose compute work stays in one class. Where it may move to another class, it
/// moves to other threads, and those that a test keeps busy keep nothing back.
fn threads(tokio: usize, rayon: usize) -> LoomBuilder {
    let builder = LoomBuilder::new().tokio_threads(tokio).rayon_threads(rayon);
    builder.compute_priority(ComputePriority::Normal)
}

const BOUND: Duration = Duration::from_millis(150);

/// One compute thread, and a call that keeps it busy until the sender is dropped.
fn busy_runtime() -> (LoomRuntime, mpsc::Sender<()>, ComputeFuture<bool>) {
    let runtime = threads(1, 1).build().expect("it starts");
    let (release, busy) = block(&runtime);
    (runtime, release, busy)
}

fn block(runtime: &LoomRuntime) -> (mpsc::Sender<()>, ComputeFuture<bool>) {
    let (release, held) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let busy = runtime.spawn_compute(move || {
        started.send(()).expect("the test waits");
        held.recv().is_err()
    });
    has_started.recv().expect("it runs");
    (release, busy)
}

#[loom::compute(mode = "offload")]
fn double(n: u64) -> u64 {
    2 * n
}

/// Takes a number, and doubles it.
async fn handler(text: String) -> String {
    double(text.parse().expect("the test sends a number")).await.to_string()
}

async fn ask(router: &Router, path: &str) -> Response<Body> {
    let request = Request::post(path).body(Body::from("21")).expect("it is well formed");
    router.clone().oneshot(request).await.expect("it is infallible")
}

/// Waits until the runtime expects a longer wait than the bound, because no queued call has
/// started for that long. One request has been let through by then as a probe.
fn until_it_is_long(runtime: &LoomRuntime) {
    while runtime.would_wait(Priority::Normal, BOUND).is_none() {
        std::thread::yield_now();
    }
}

#[test]
fn what_would_wait_too_long_is_answered_at_once() {
    let (runtime, release, busy) = busy_runtime();
    let router = Router::new()
        .route("/", post(handler).layer(LoadShedLayer::new(BOUND)))
        .route("/any", post(|text: String| async { text }));
    let waiting = runtime.spawn_async(double(1));
    while runtime.prometheus_metrics().rayon_queue_depth.get() == 0 {
        std::thread::yield_now();
    }
    until_it_is_long(&runtime);
    let (shed, other) =
        runtime.block_on(async { (ask(&router, "/").await, ask(&router, "/any").await) });
    assert_eq!(shed.status(), StatusCode::SERVICE_UNAVAILABLE);
    let after = shed.headers()[header::RETRY_AFTER].to_str().expect("it is a number");
    assert!(after.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{after}");
    assert_eq!(other.status(), StatusCode::OK, "what has no layer is let through");
    assert_eq!(runtime.prometheus_metrics().requests_shed.get(), 1);

    drop(release);
    assert!(runtime.block_on(busy));
    assert_eq!(runtime.block_on(waiting).expect("it does not panic"), 2);
    let answer = runtime.block_on(ask(&router, "/"));
    assert_eq!(answer.status(), StatusCode::OK);
    let body = runtime.block_on(answer.into_body().collect()).expect("it is whole").to_bytes();
    assert_eq!(body, "42");
    assert_eq!(runtime.prometheus_metrics().requests_shed.get(), 1);
}

#[test]
fn the_answer_may_be_the_programs_own() {
    let (runtime, _release, _busy) = busy_runtime();
    let _waiting = runtime.spawn_compute(|| ());
    until_it_is_long(&runtime);
    let layer = LoadShedLayer::new(BOUND).on(&runtime).answer_with(|shed: &Shed| {
        assert!(shed.expected_wait > shed.bound);
        Response::builder()
            .status(StatusCode::TOO_MANY_REQUESTS)
            .header(header::RETRY_AFTER, "7")
            .body(Body::from("later"))
            .expect("it is well formed")
    });
    let router = Router::new().route("/", post(handler).layer(layer));
    // The request is polled on another runtime.
    let other = threads(1, 1).build().expect("it starts");
    let shed = other.block_on(ask(&router, "/"));
    assert_eq!(shed.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(shed.headers()[header::RETRY_AFTER], "7");
}

#[test]
fn low_priorities_are_shed_first() {
    let (runtime, release, busy) = busy_runtime();
    // Calls report, once they start, how long each place in the queue took.
    let batch = |n: u64| {
        let normal = (0..n).map(|_| runtime.spawn_compute_with_priority(Priority::Normal, || ()));
        let mut calls: Vec<_> = normal.collect();
        let high = (0..n).map(|_| runtime.spawn_compute_with_priority(Priority::High, || ()));
        calls.extend(high);
        calls
    };
    // One call in sixteen reports its wait.
    let calls = batch(320);
    drop(release);
    assert!(runtime.block_on(busy));
    for call in calls {
        runtime.block_on(call);
    }
    let (_release, _busy) = block(&runtime);
    let _calls = batch(320);
    let [high, normal] =
        [Priority::High, Priority::Normal].map(|of| runtime.expected_queue_wait(of));
    assert!(high < normal, "{high:?} {normal:?}");
}

/// A body without end, whose next frame is always ready.
struct Endless(Arc<AtomicUsize>);

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
    }
}

#[test]
fn a_body_without_end_is_not_read_for_ever() {
    let (runtime, _release, _busy) = busy_runtime();
    let _waiting = runtime.spawn_compute(|| ());
    until_it_is_long(&runtime);
    let router = Router::new().route("/", post(handler).layer(LoadShedLayer::new(BOUND)));
    let frames = Arc::new(AtomicUsize::new(0));
    let request = |body| Request::post("/").body(body).expect("it is well formed");
    let endless = request(Body::new(Endless(Arc::clone(&frames))));
    // Another task of the only worker has to make progress meanwhile.
    let (turns, of_task) = (Arc::clone(&frames), router.clone());
    let both = runtime.spawn_async(async move {
        let answer = tokio::spawn(of_task.oneshot(endless));
        let neighbour = tokio::spawn(async move {
            while turns.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            turns.load(Ordering::Relaxed)
        });
        (answer.await.expect("it does not panic"), neighbour.await.expect("it does not panic"))
    });
    let (answer, before) = runtime.block_on(both).expect("it does not panic");
    assert_eq!(answer.expect("it is infallible").status(), StatusCode::SERVICE_UNAVAILABLE);
    let all = frames.load(Ordering::Relaxed);
    assert!(before < all && all <= 16 * 1024, "{before} of {all} frames");

    // A client that sends `Expect: 100-continue` is refused before it sends the body.
    let mut asking = request(Body::new(Endless(Arc::clone(&frames))));
    asking.headers_mut().insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    let answer = runtime.block_on(router.oneshot(asking)).expect("it is infallible");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(frames.load(Ordering::Relaxed), all);
}

#[test]
fn where_nobody_has_told_for_long_one_is_let_through() {
    let (runtime, _release, _busy) = busy_runtime();
    let _waiting = runtime.spawn_compute(|| ());
    let expected = || runtime.expected_queue_wait(Priority::High) > BOUND;
    while !expected() {
        std::thread::yield_now();
    }
    let answers = [(); 3].map(|()| runtime.would_wait(Priority::High, BOUND).is_none());
    assert_eq!(answers, [true, false, false]);
}

#[test]
fn a_body_is_read_before_its_sender_is_sent_away() {
    let (runtime, _release, _busy) = busy_runtime();
    let _waiting = runtime.spawn_compute(|| ());
    until_it_is_long(&runtime);
    let router = Router::new().route("/", post(handler).layer(LoadShedLayer::new(BOUND)));
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<&str>();
    let chunks = tokio_stream::wrappers::UnboundedReceiverStream::new(receiver);
    let body = Body::from_stream(tokio_stream::StreamExt::map(chunks, Ok::<_, std::io::Error>));
    let request = Request::post("/").body(body).expect("it is well formed");
    let answer = runtime.spawn_async(router.oneshot(request));
    sender.send("2").expect("it is being read");
    sender.send("1").expect("it is being read");
    assert!(!answer.is_finished(), "the body has not ended");
    drop(sender);
    let answer = runtime.block_on(answer).expect("it does not panic");
    assert_eq!(answer.expect("it is infallible").status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[loom::compute(hint = "low")]
fn triple(n: u64) -> u64 {
    3 * n
}

async fn inline_handler(text: String) -> String {
    triple(text.parse().expect("the test sends a number")).await.to_string()
}

/// The route's function runs inline, and joins no queue. A route that goes to the pool is shed.
#[test]
fn what_runs_inline_is_never_shed() {
    let builder = threads(2, 1);
    let runtime = builder.build().expect("it starts");
    let router = Router::new()
        .route("/inline", post(inline_handler))
        .route("/pool", post(handler))
        .layer(LoadShedLayer::new(BOUND).on(&runtime))
        // Layers each route once, as serving does.
        .with_state(());
    let status = |path: &'static str| {
        let router = router.clone();
        let asked = runtime.spawn_async(async move { ask(&router, path).await.status() });
        runtime.block_on(asked).expect("it does not panic")
    };
    // What each route calls is learned.
    assert_eq!((status("/inline"), status("/pool")), (StatusCode::OK, StatusCode::OK));
    let (release, busy) = block(&runtime);
    runtime.spawn_compute(|| ()).detach();
    until_it_is_long(&runtime);
    for _ in 0..100 {
        assert_eq!(status("/inline"), StatusCode::OK);
    }
    assert_eq!(status("/pool"), StatusCode::SERVICE_UNAVAILABLE);
    // The program may ask for itself.
    let of_worker = runtime.clone();
    let waits = runtime.spawn_async(async move {
        let waits = |function: &str| of_worker.would_wait_for(function, BOUND).is_some();
        [waits("shedding::triple"), waits("shedding::double"), waits("shedding::not_called")]
    });
    assert_eq!(runtime.block_on(waits).expect("it does not panic"), [false, true, true]);
    // An override to the pool counts at once.
    runtime.override_function("shedding::triple", loom::Mode::Offload);
    assert_eq!(status("/inline"), StatusCode::SERVICE_UNAVAILABLE);
    drop(release);
    assert!(runtime.block_on(busy));
}

/// What another task calls is seen by no layer, so the program names it.
#[test]
fn a_layer_knows_the_functions_that_are_named() {
    let builder = threads(2, 1);
    let runtime = builder.build().expect("it starts");
    let spawning = |text: String| async {
        tokio::spawn(inline_handler(text)).await.expect("it does not panic")
    };
    let said = Arc::new(std::sync::Mutex::new(Vec::new()));
    let of_layer = Arc::clone(&said);
    let layer = LoadShedLayer::new(BOUND).on(&runtime).answer_with(move |shed: &Shed| {
        of_layer.lock().expect("nobody panicked").push(shed.function);
        Response::builder()
            .status(StatusCode::TOO_MANY_REQUESTS)
            .body(Body::empty())
            .expect("it is well formed")
    });
    let router = Router::new()
        .route("/unknown", post(spawning).layer(layer.clone()))
        .route("/named", post(spawning).layer(layer.clone().functions(["shedding::triple"])))
        .route(
            "/pool",
            post(spawning).layer(layer.functions(["shedding::triple", "shedding::double"])),
        );
    let status = |path: &'static str| {
        let router = router.clone();
        let asked = runtime.spawn_async(async move { ask(&router, path).await.status() });
        runtime.block_on(asked).expect("it does not panic")
    };
    assert_eq!(status("/named"), StatusCode::OK);
    runtime.block_on(double(1));
    let (_release, _busy) = block(&runtime);
    runtime.spawn_compute(|| ()).detach();
    until_it_is_long(&runtime);
    assert_eq!(status("/unknown"), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status("/named"), StatusCode::OK);
    assert_eq!(status("/pool"), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(*said.lock().expect("nobody panicked"), [None, Some("shedding::double")]);
}

#[loom::compute(mode = "offload", priority = "low")]
fn patient(n: u64) -> u64 {
    n
}

/// The priority that counts is that of the function, or that of an override.
#[test]
fn a_function_waits_with_its_own_priority() {
    let (runtime, release, busy) = busy_runtime();
    let asked = runtime.spawn_async(patient(1));
    let called = || runtime.functions().iter().any(|seen| seen.name == "shedding::patient");
    while !called() {
        std::thread::yield_now();
    }
    let waits = || runtime.would_wait_for("shedding::patient", BOUND).is_some();
    let expected = |priority| runtime.expected_queue_wait(priority) > BOUND;
    while !expected(Priority::Low) || !expected(Priority::High) {
        std::thread::yield_now();
    }
    // Of each priority, one caller is sent to see.
    assert_eq!([waits(), waits()], [false, true]);
    runtime.override_function("shedding::patient", Override::none().with_priority(Priority::High));
    assert_eq!([waits(), waits()], [false, true]);
    drop(release);
    assert!(runtime.block_on(busy));
    assert_eq!(runtime.block_on(asked).expect("it does not panic"), 1);
}
