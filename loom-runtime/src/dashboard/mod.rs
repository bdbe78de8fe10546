//! A service for an application to nest, with a page that shows what a runtime is doing.
//!
//! Owns the service, its responses and the page, which is one file without outside resources. On
//! request, `data` reads existing counters for the page. It counts nothing itself.

mod data;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio_util::bytes::Bytes;
use tower_service::Service;

use crate::sync::{Arc, Mutex, PoisonError, Weak};

use crate::core::{Core, context};
use crate::runtime::LoomRuntime;
use crate::threads::process_wide;

const PAGE: &str = include_str!("page.html");
/// The page may run its own scripts and styles, and send requests to its own origin only.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A live page that shows what a runtime is doing: what runs on each core, where the calls of each
/// function run and why, how long they take, and how long they wait.
///
/// It is a `tower` service that can be nested below any path. It needs no files, no outside
/// resources and no build step. Once a second, the page requests `data` below that path, which is
/// JSON. Programs may read it too, but its format may change from version to version.
///
/// Every client sees the names of functions and threads. Nest the service where only trusted
/// clients can connect, such as on a loopback listener.
///
/// Cost: none without a client. With clients, however many, it reads the counters at most twice a
/// second and, on Linux, two small system files for each of the first 128 threads. That takes a
/// fraction of a millisecond with a few threads, and a few milliseconds with a hundred, on the I/O
/// worker that serves the request.
///
/// ```
/// use axum::Router;
///
/// #[loom::main]
/// async fn main() {
///     let router: Router = Router::new().nest_service("/loom", loom::dashboard::Dashboard::new());
/// #   let request = axum::http::Request::get("/loom").body(axum::body::Body::empty());
/// #   let request = request.expect("it is well formed");
/// #   let answer = tower::ServiceExt::oneshot(router, request).await.expect("it is infallible");
/// #   assert_eq!(answer.status(), 200);
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Dashboard {
    /// The core of the named runtime; if `None`, the current core of each request. The reference is
    /// weak, since the runtime may itself serve the page, which must not keep the runtime alive.
    core: Option<Weak<Core>>,
    gathered: Arc<Mutex<Option<Gathered>>>,
}

/// The last data, which is returned again to requests that follow soon.
#[derive(Debug)]
struct Gathered {
    /// The runtime's id.
    id: u64,
    /// The time on the runtime's clock, in nanoseconds.
    at: u64,
    data: Bytes,
}

/// How old the returned data may be, in nanoseconds, so that the cost does not depend on the number
/// of clients.
const FRESH: u64 = 400_000_000;

impl Dashboard {
    /// Shows the runtime that serves the page; in a program without a runtime, the process-wide
    /// compute pool, once it has been started.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows this runtime, whichever runtime serves the page.
    #[must_use]
    pub fn of(runtime: &LoomRuntime) -> Self {
        Self { core: Some(Arc::downgrade(runtime.core())), ..Self::default() }
    }

    fn core(&self) -> Option<Arc<Core>> {
        match &self.core {
            Some(core) => core.upgrade(),
            None => context::current().or_else(process_wide::started),
        }
    }

    fn data(&self, core: &Arc<Core>) -> Bytes {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let now = core.now();
        match &*gathered {
            Some(last) if last.id == core.id && now.saturating_sub(last.at) < FRESH => {
                last.data.clone()
            }
            _ => {
                let data = Bytes::from(data::of(core).to_string());
                *gathered = Some(Gathered { id: core.id, at: now, data: data.clone() });
                data
            }
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            let mut answer =
                plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are allowed.\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path.trim_matches('/') {
            "" => with(
                StatusCode::OK,
                "text/html; charset=utf-8",
                Bytes::from_static(PAGE.as_bytes()),
            ),
            "data" => match self.core() {
                Some(core) => with(StatusCode::OK, "application/json", self.data(&core)),
                None => plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "There is no Loom runtime here (any more).\n",
                ),
            },
            _ => plain(StatusCode::NOT_FOUND, "There is no page here.\n"),
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    with(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn with(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl<B> Service<Request<B>> for Dashboard {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.uri().path())))
    }
}
