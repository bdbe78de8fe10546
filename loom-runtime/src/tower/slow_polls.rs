//! Names requests whose polls hold an I/O worker up.
//!
//! Owns the layer and how it names a request. It watches no poll itself; [`Observed`] does.

use std::fmt;
use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::Observed;
use crate::core::Spot;

/// A layer that watches the polls of a service's requests, and counts the slow ones under the request's
/// method and path: "`POST /thumbnail` held an I/O worker for 4.2ms".
///
/// [`loom::slow_polls`](crate::slow_polls) lists them, beside those of tasks and of
/// [`observe`](crate::observe()), which says what counts. A body that computes while it is sent is not watched,
/// and neither is what the service does before it returns its future.
///
/// A process has at most 512 such names, of slow requests alone, and of 120 bytes each. Requests with further ones count
/// as `other requests`. So where paths have numbers or names in them, tell the layer the route:
/// [`named_by`](Self::named_by) for each request, or [`named`](Self::named) for a service that has one.
/// Which polls are timed is decided for all requests together, and with `named` for those of that name.
///
/// Cost for each request: the allocation of its name, which `named` saves; a slow one also takes a lock.
/// For each poll that of [`observe`](crate::observe()).
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use loom::tower::SlowPollLayer;
///
/// let router: Router = Router::new()
///     .route("/thumbnail", post(|image: String| async move { image.len().to_string() }))
///     // Requests that no route takes are not watched.
///     .route_layer(SlowPollLayer::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SlowPollLayer<N = MethodAndPath> {
    name: N,
}

/// The service that a [`SlowPollLayer`] makes.
#[derive(Clone, Copy)]
pub struct SlowPolls<S, N = MethodAndPath> {
    inner: S,
    name: N,
}

/// Names a request by its method and its path, without the query.
#[derive(Clone, Copy, Debug, Default)]
pub struct MethodAndPath;

/// Names every request alike; made by [`SlowPollLayer::named`].
#[derive(Clone, Copy, Debug)]
pub struct Named(u32);

/// How a [`SlowPollLayer`] names requests. Closures from `&Request<B>` to `String` are such.
pub trait NameOf<B>: sealed::Places<B> {}

impl<B, N: sealed::Places<B>> NameOf<B> for N {}

mod sealed {
    use http::Request;

    use super::{MethodAndPath, Named};

    pub trait Places<B> {
        #[doc(hidden)]
        fn place(&self, request: &Request<B>) -> Place;
    }

    /// Hides the type, which is none of the library's interface.
    #[derive(Debug)]
    pub enum Place {
        Known(u32),
        Named(String),
    }

    impl<B> Places<B> for MethodAndPath {
        fn place(&self, request: &Request<B>) -> Place {
            Place::Named(format!("{} {}", request.method(), request.uri().path()))
        }
    }

    impl<B> Places<B> for Named {
        fn place(&self, _request: &Request<B>) -> Place {
            Place::Known(self.0)
        }
    }

    impl<B, F: Fn(&Request<B>) -> String> Places<B> for F {
        fn place(&self, request: &Request<B>) -> Place {
            Place::Named(self(request))
        }
    }
}

impl SlowPollLayer {
    /// Names each request by its method and its path.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names every request alike.
    ///
    /// ```
    /// # use loom::tower::SlowPollLayer;
    /// use axum::routing::{MethodRouter, get};
    ///
    /// let search: MethodRouter =
    ///     get(|| async { "found" }).layer(SlowPollLayer::named("GET /search/{words}"));
    /// ```
    #[must_use]
    pub fn named(name: &str) -> SlowPollLayer<Named> {
        SlowPollLayer { name: Named(Spot::of_route(name)) }
    }

    /// Names each request by what `name` returns for it, such as the route that axum has matched. `name`
    /// should be quick.
    ///
    /// ```
    /// # use loom::tower::SlowPollLayer;
    /// use axum::Router;
    /// use axum::extract::{MatchedPath, Path, Request};
    /// use axum::routing::get;
    ///
    /// fn route(request: &Request) -> String {
    ///     let path = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    ///     format!("{} {path}", request.method())
    /// }
    ///
    /// let router: Router = Router::new()
    ///     .route("/users/{id}", get(|Path(id): Path<u64>| async move { id.to_string() }))
    ///     .layer(SlowPollLayer::named_by(route));
    /// ```
    #[must_use]
    pub fn named_by<N>(name: N) -> SlowPollLayer<N> {
        SlowPollLayer { name }
    }
}

impl<S, N: Clone> Layer<S> for SlowPollLayer<N> {
    type Service = SlowPolls<S, N>;

    fn layer(&self, inner: S) -> SlowPolls<S, N> {
        SlowPolls { inner, name: self.name.clone() }
    }
}

impl<S, N, B> Service<Request<B>> for SlowPolls<S, N>
where
    S: Service<Request<B>>,
    N: NameOf<B>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Observed<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let place = self.name.place(&request);
        let future = self.inner.call(request);
        match place {
            sealed::Place::Known(place) => Observed::new(place, future),
            sealed::Place::Named(name) => Observed::of_request(name, future),
        }
    }
}

impl<S, N> fmt::Debug for SlowPolls<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlowPolls").finish_non_exhaustive()
    }
}
