//! A page that shows what a runtime is doing, as a service to nest in an application.
//!
//! Owns the service, its answers and the page itself, one file without outside parts. `data`
//! gathers what the page shows from existing counters, on request. It counts nothing itself.

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
/// What the page may do: run what is in it, and ask where it came from.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A page that shows what a runtime is doing, live: what runs on each core, the functions with
/// where their calls run and why, how long they take, and how long they wait.
///
/// It is a `tower` service for any path below which it is nested; it needs no files, no outside
/// resource and no build step. The page asks for `data` below that path once a second, which is
/// JSON, for programs too (its form may change from version to version).
///
/// It shows the names of functions and threads to every client: nest it where only the right
/// clients can connect, such as a listener on loopback.
///
/// Cost: nothing without a client. With clients, at most twice a second however many there are, it
/// reads the counters and, on Linux, two small system files for each thread (the first 128). That
/// takes a fraction of a millisecond with a few threads, and a few milliseconds with a hundred, on
/// the I/O worker that serves the request.
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
    /// The one that was named, or the current one of each request. It must not keep it alive,
    /// since it is served by it.
    core: Option<Weak<Core>>,
    gathered: Arc<Mutex<Option<Gathered>>>,
}

/// The last answer, for requests that come soon after it.
#[derive(Debug)]
struct Gathered {
    /// Of which runtime, and when by its clock.
    id: u64,
    at: u64,
    data: Bytes,
}

/// How old an answer may be, in nanoseconds, so that the number of clients does not matter.
const FRESH: u64 = 400_000_000;

impl Dashboard {
    /// Shows the runtime that it is served by; in a program without one, the process-wide compute
    /// pool, once that has been started.
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
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET is answered here.\n");
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
            _ => plain(StatusCode::NOT_FOUND, "There is nothing here.\n"),
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
