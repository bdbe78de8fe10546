//! Sheds load: a request whose compute calls would wait too long gets an
//! error response at once.
//!
//! Owns the layer and its response. It does not estimate the wait; the runtime's backlog does.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{EXPECT, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::task::coop;
use tokio_util::bytes::Buf;
use tower_layer::Layer;
use tower_service::Service;

use crate::bridge::Priority;
use crate::call::would_wait;
use crate::core::route::Route;
use crate::core::{Core, Function, context};
use crate::runtime::LoomRuntime;
use crate::sync::Arc;
use crate::threads::process_wide;

/// How much of a shed request's body is read and discarded, in bytes. If the connection is closed
/// while the client still sends, the response may be lost.
const MOST_READ: usize = 16 * 1024 * 1024;

/// The least size that a frame counts with, since a client may send empty frames without end.
const LEAST_FRAME: usize = 1024;

/// A layer that responds 503 with `Retry-After`, instead of calling the service, when the service's
/// compute calls would wait longer than a bound.
///
/// Put it around the routes that compute, and not around routes that must always respond. With the
/// layer, the wait in the compute queue stays at about the bound under any load. Without it, the
/// queue and every wait grow for as long as more work arrives than can be done. `loom-bench shed`
/// prints the effect for the example's service.
///
/// The layer compares the bound with
/// [`expected_queue_wait`](LoomRuntime::expected_queue_wait) for its [`priority`](Self::priority).
/// A function that the layer knows counts with its own priority, and with that of an override: under
/// the same load, routes of low priority are shed first. If no call of that priority has started for a
/// while, the layer lets one request through to measure the wait. A request that was let through and has not made
/// its call yet (its body is still being read) is in no queue, so a burst of such requests may
/// exceed the bound.
///
/// The layer notes which compute functions, and which classes of their inputs, the requests of a route
/// call as they are polled. A route is one service that the layer wraps. For each function the layer asks
/// what the scheduler would decide now. It sheds no request while all of them would run inline, since
/// such a request joins no queue. If one would be offloaded, each request of the route counts as joining
/// the queue.
///
/// A route without a request so far is as the layer's other routes: axum makes new ones for each connection.
///
/// A request also counts as joining the queue, with the layer's priority, while the layer knows no function
/// of any route, once the route has made a call that always goes to the pool (`spawn_compute`, scopes),
/// and once it has called more than 16 functions or classes of inputs. The layer does not see the calls of
/// other tasks, which a request spawns, and of a body that computes while it is sent:
/// [`functions`](Self::functions) names those.
///
/// The layer reads the body of a shed request first (up to 16 MiB) and discards it, so that the client receives
/// the response. It does not do so if the client waits before it sends the body (`Expect: 100-continue`). As for
/// any service, a client that never sends its body needs a time-out outside of this layer.
///
/// The layer is ready when the inner service is ready. A concurrency limit inside this layer delays requests
/// before the layer sees them, unless another layer that sheds load is directly outside of that limit.
///
/// Cost of a request that is let through: clock readings and relaxed loads, and a look at the
/// measurements of each function of the route, which are listed in an allocation.
///
/// ```
/// # use std::time::Duration;
/// # use loom::tower::LoadShedLayer;
/// use axum::Router;
/// use axum::routing::{get, post};
///
/// #[loom::compute(hint = "high", priority = "low")]
/// fn index(text: String) -> usize {
///     text.split(' ').count()
/// }
///
/// let shed = LoadShedLayer::new(Duration::from_millis(200)).priority(loom::Priority::Low);
/// let router: Router = Router::new()
///     .route("/index", post(|text: String| async { index(text).await.to_string() }).layer(shed))
///     .route("/health", get(|| async { "ok" }));
/// ```
#[derive(Clone)]
pub struct LoadShedLayer<A = Empty> {
    guard: Guard,
    answer: A,
}

/// The service that a [`LoadShedLayer`] makes.
#[derive(Clone)]
pub struct LoadShed<S, A = Empty> {
    inner: S,
    guard: Guard,
    answer: A,
}

/// The default response: status 503 with an empty body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty;

/// The reason why a request is shed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Shed {
    /// How long the request's compute calls would have waited.
    pub expected_wait: Duration,
    /// How long they may wait.
    pub bound: Duration,
    /// The function that would have waited, as [`FunctionStats::name`](crate::FunctionStats::name) has it;
    /// `None` where the layer does not know which functions the request calls.
    pub function: Option<&'static str>,
}

impl Shed {
    /// The time after which the client should try again: when the queue should be empty, in whole
    /// seconds, at least one and at most an hour.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let seconds = self.expected_wait.as_secs_f64().ceil().clamp(1.0, 3600.0);
        Duration::from_secs_f64(seconds)
    }
}

/// Makes the response to a shed request.
pub trait Answer<B> {
    /// The response. The layer adds `Retry-After` if the response has none.
    fn answer(&self, shed: &Shed) -> Response<B>;
}

impl<B: Default> Answer<B> for Empty {
    fn answer(&self, _shed: &Shed) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    }
}

impl<B, F: Fn(&Shed) -> Response<B>> Answer<B> for F {
    fn answer(&self, shed: &Shed) -> Response<B> {
        self(shed)
    }
}

/// When to shed.
#[derive(Clone)]
struct Guard {
    bound: Duration,
    priority: Priority,
    /// The core of the named runtime; if `None`, the current core of each request.
    core: Option<Arc<Core>>,
    /// What is known of the calls of the requests.
    route: Arc<Route>,
    /// The functions that the program names, instead of those.
    named: Option<Arc<[String]>>,
}

impl Guard {
    fn sheds(&self) -> Option<Shed> {
        let sheds = |core: &Core| {
            let (function, expected_wait) = match self.functions(core) {
                Some(functions) => {
                    let (name, wait) = would_wait(core, functions.into_iter(), self.bound)?;
                    (Some(name), wait)
                }
                None => (None, core.would_wait(self.priority, self.bound)?),
            };
            core.counters.shed.add_one();
            Some(Shed { expected_wait, bound: self.bound, function })
        };
        match &self.core {
            Some(core) => sheds(core),
            // A process-wide pool that was not started has no queue.
            None => context::current().or_else(process_wide::started).and_then(|core| sheds(&core)),
        }
    }
}

impl Guard {
    /// The functions that a request calls, if all of them are known.
    fn functions<'a>(&self, core: &'a Core) -> Option<Vec<&'a Function>> {
        let Some(named) = self.named.as_ref().filter(|named| !named.is_empty()) else {
            return self.route.functions()?.map(|index| core.function_at(index)).collect();
        };
        let mut found = Vec::new();
        for name in named.iter() {
            let before = found.len();
            found.extend(core.functions_named(name));
            if found.len() == before {
                return None;
            }
        }
        Some(found)
    }
}

impl LoadShedLayer {
    /// Sheds requests whose calls would wait longer than `bound`, on the runtime that serves each
    /// request.
    ///
    /// Choose a bound of at least a few times the duration of one call; a lower bound sheds
    /// requests although there is no overload.
    #[must_use]
    pub fn new(bound: Duration) -> Self {
        let route = Arc::default();
        let guard = Guard { bound, priority: Priority::Normal, core: None, route, named: None };
        Self { guard, answer: Empty }
    }
}

impl<A> LoadShedLayer<A> {
    /// Sets the priority with which a request waits whose functions are not known; default
    /// [`Priority::Normal`].
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.guard.priority = priority;
        self
    }

    /// Names the functions behind the layer, by [`path`](crate::FunctionStats::path) or
    /// [`name`](crate::FunctionStats::name), in place of those that it sees. Until each of them has been
    /// called, requests count as joining the queue. An empty list names none, and the layer goes by what
    /// it sees. Cost, for each request: a comparison of each name with those of all functions that the
    /// runtime has called.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use loom::tower::LoadShedLayer;
    /// let layer = LoadShedLayer::new(Duration::from_millis(200)).functions(["shop::index"]);
    /// # let _router: axum::Router = axum::Router::new().layer(layer);
    /// ```
    #[must_use]
    pub fn functions<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.guard.named = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the runtime on which the calls are made, if another runtime serves the requests.
    #[must_use]
    pub fn on(mut self, runtime: &LoomRuntime) -> Self {
        self.guard.core = Some(Arc::clone(runtime.core()));
        self
    }

    /// Replaces the response, which by default is status 503 with an empty body. `answer` should be
    /// quick.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use loom::tower::{LoadShedLayer, Shed};
    /// use axum::body::Body;
    /// use axum::http::{Response, StatusCode};
    ///
    /// let layer = LoadShedLayer::new(Duration::from_millis(200)).answer_with(|shed: &Shed| {
    ///     let sentence = format!("Try again in {} s.", shed.retry_after().as_secs());
    ///     let mut response = Response::new(Body::from(sentence));
    ///     *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    ///     response
    /// });
    /// # let _router: axum::Router = axum::Router::new().layer(layer);
    /// ```
    #[must_use]
    pub fn answer_with<B, F>(self, answer: F) -> LoadShedLayer<F>
    where
        F: Fn(&Shed) -> Response<B>,
    {
        LoadShedLayer { guard: self.guard, answer }
    }
}

impl<S, A: Clone> Layer<S> for LoadShedLayer<A> {
    type Service = LoadShed<S, A>;

    fn layer(&self, inner: S) -> LoadShed<S, A> {
        // Each service that is layered is a route of its own.
        let guard = Guard { route: Route::of_layer(&self.guard.route), ..self.guard.clone() };
        LoadShed { inner, guard, answer: self.answer.clone() }
    }
}

impl<S, A, B, R> Service<Request<B>> for LoadShed<S, A>
where
    S: Service<Request<B>, Response = Response<R>>,
    A: Answer<R>,
    B: Body,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = LoadShedFuture<S::Future, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(shed) = self.guard.sheds() else {
            let route = Arc::clone(&self.guard.route);
            let future = route.within(|| self.inner.call(request));
            return LoadShedFuture { state: State::Through { future, route } };
        };
        let mut response = self.answer.answer(&shed);
        let after = HeaderValue::from(shed.retry_after().as_secs());
        response.headers_mut().entry(RETRY_AFTER).or_insert(after);
        // A client that waits before it sends the body is not sending now, so the response cannot
        // get lost.
        let is_waiting = request.headers().contains_key(EXPECT);
        let read = if is_waiting { MOST_READ } else { 0 };
        let (body, response) = (request.into_body(), Some(response));
        LoadShedFuture { state: State::Shed { body, read, response } }
    }
}

pin_project! {
    /// The response future of a [`LoadShed`].
    pub struct LoadShedFuture<F, B, R> {
        #[pin]
        state: State<F, B, R>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, B, R> {
        Through {
            #[pin]
            future: F,
            route: Arc<Route>,
        },
        Shed {
            #[pin]
            body: B,
            read: usize,
            response: Option<Response<R>>,
        },
    }
}

impl<F, B, R, E> Future for LoadShedFuture<F, B, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    B: Body,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Through { future, route } => route.within(|| future.poll(cx)),
            Projected::Shed { mut body, read, response } => {
                while *read < MOST_READ && !body.is_end_stream() {
                    // A body that is always ready must not keep the task running without end.
                    let budget = ready!(coop::poll_proceed(cx));
                    match ready!(body.as_mut().poll_frame(cx)) {
                        Some(Ok(frame)) => {
                            let bytes = frame.data_ref().map_or(0, Buf::remaining);
                            *read += bytes.max(LEAST_FRAME);
                        }
                        Some(Err(_)) | None => break,
                    }
                    budget.made_progress();
                }
                let Some(response) = response.take() else {
                    panic!("a load-shedding future was polled after it had completed")
                };
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, priority, .. } = self;
        f.debug_struct("Guard").field("bound", bound).field("priority", priority).finish()
    }
}

impl<A> fmt::Debug for LoadShedLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadShedLayer").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl<S, A> fmt::Debug for LoadShed<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadShed").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl<F, B, R> fmt::Debug for LoadShedFuture<F, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadShedFuture").finish_non_exhaustive()
    }
}
