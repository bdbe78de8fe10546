//! A service for an application to nest, with a page that shows what a runtime is doing.
//!
//! Owns the service, its responses and the page, which is one file without outside resources. On
//! request, `data` reads existing counters for the page. It counts nothing itself.

mod control;
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

use control::Control;

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
    control: Control,
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

    /// Lets the page override where functions run: each function and all of them have a choice of modes,
    /// which counts from the next call on; see
    /// [`override_function`](LoomRuntime::override_function). Without this, the page only shows.
    ///
    /// The page asks for no password: every client that reaches it may use it. Pages of other sites may
    /// not. A change needs a header that they cannot send, and a `Host` that is an address, `localhost` or one
    /// that [`host`](Self::host) names. Where there is an `Origin`, it has to be that host, or one that
    /// `host` names, at any port, since a proxy may be in between. A layer around the page that lets other
    /// sites send any header (a permissive CORS layer) takes the first protection away.
    ///
    /// Programs may make changes, too, with the `id` of a function in `data`, or for `all`:
    ///
    /// ```console
    /// curl -X POST -H 'X-Loom-Override: 1' http://127.0.0.1:3000/loom/override/all/inline
    /// curl -X POST -H 'X-Loom-Override: 1' http://127.0.0.1:3000/loom/override/12/offload
    /// curl -X POST -H 'X-Loom-Override: 1' http://127.0.0.1:3000/loom/override/all/none
    /// ```
    ///
    /// The answer is 204; 403 with a reason where changes are not allowed, and 400 where the change is none.
    #[must_use]
    pub fn allow_overrides(mut self) -> Self {
        self.control.is_allowed = true;
        self
    }

    /// Names a host by which the page is reached, without a port, such as `admin.shop.example`. Only
    /// [overrides](Self::allow_overrides) need it.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.control.hosts.push(name.into());
        self
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
                let data = Bytes::from(data::of(core, self.control.is_allowed).to_string());
                *gathered = Some(Gathered { id: core.id, at: now, data: data.clone() });
                data
            }
        }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path().trim_matches('/');
        match path.strip_prefix("override/") {
            Some(change) => self.change(request, change),
            None => self.shown(request.method(), path),
        }
    }

    fn change<B>(&self, request: &Request<B>, change: &str) -> Response<Full<Bytes>> {
        if request.method() != Method::POST {
            return not_allowed("POST", "A change is a POST request.\n");
        }
        if let Some(refusal) = self.control.refusal(request) {
            return plain(StatusCode::FORBIDDEN, refusal);
        }
        let Some(core) = self.core() else { return no_runtime() };
        let (status, text) = match control::change(&core, change) {
            Ok(()) => (StatusCode::NO_CONTENT, String::new()),
            Err(error) => (StatusCode::BAD_REQUEST, error),
        };
        // Who looks next sees the change.
        drop(self.gathered.lock().unwrap_or_else(PoisonError::into_inner).take());
        with(status, TEXT, Bytes::from(text))
    }

    fn shown(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return not_allowed("GET, HEAD", "Only GET and HEAD are allowed.\n");
        }
        match path {
            "" => with(
                StatusCode::OK,
                "text/html; charset=utf-8",
                Bytes::from_static(PAGE.as_bytes()),
            ),
            "data" => match self.core() {
                Some(core) => with(StatusCode::OK, "application/json", self.data(&core)),
                None => no_runtime(),
            },
            _ => plain(StatusCode::NOT_FOUND, "There is no page here.\n"),
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    with(status, TEXT, Bytes::from_static(text.as_bytes()))
}

fn not_allowed(allowed: &'static str, text: &'static str) -> Response<Full<Bytes>> {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn no_runtime() -> Response<Full<Bytes>> {
    plain(StatusCode::SERVICE_UNAVAILABLE, "There is no Loom runtime here (any more).\n")
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
        ready(Ok(self.answer(&request)))
    }
}
