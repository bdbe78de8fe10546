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
/// [`observe`](crate::observe()), which says what counts. The polls of the response's body, as far as it
/// computes while it is sent, and what the service does before it returns its future are not among them.
///
/// A process has at most 512 such names. Requests with further ones count as `other requests`, so where
/// paths have numbers or names in them, tell the layer the route: [`named_by`](Self::named_by) for each
/// request, or [`named`](Self::named) for a service that has one.
///
/// Cost for each request: the name's allocation and a look-up under a lock of the process; `named` saves both.
/// For each poll that of [`observe`](crate::observe()).
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use loom::tower::SlowPollLayer;
///
/// let router: Router = Router::new()
///     .route("/thumbnail", post(|image: String| async move { image.len().to_string() }))
///     .layer(SlowPollLayer::new());
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

    use crate::core::Spot;

    use super::{MethodAndPath, Named};

    pub trait Places<B> {
        #[doc(hidden)]
        fn place(&self, request: &Request<B>) -> Place;
    }

    /// Hides the type, which is none of the library's interface.
    #[derive(Debug)]
    pub struct Place(pub(super) u32);

    impl<B> Places<B> for MethodAndPath {
        fn place(&self, request: &Request<B>) -> Place {
            Place(Spot::of_route(&format!("{} {}", request.method(), request.uri().path())))
        }
    }

    impl<B> Places<B> for Named {
        fn place(&self, _request: &Request<B>) -> Place {
            Place(self.0)
        }
    }

    impl<B, F: Fn(&Request<B>) -> String> Places<B> for F {
        fn place(&self, request: &Request<B>) -> Place {
            Place(Spot::of_route(&self(request)))
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
        let sealed::Place(place) = self.name.place(&request);
        Observed::new(place, self.inner.call(request))
    }
}

impl<S, N> fmt::Debug for SlowPolls<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlowPolls").finish_non_exhaustive()
    }
}
