//! Which path goes where, and what happens to everything else.

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::refusal::Refusal;
use crate::{body, drill, loom_page, markdown, password, thumbnail};

pub(crate) fn router(drill: bool) -> Router {
    let mut router = Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/markdown", post(markdown::handler))
        .route("/thumbnail", post(thumbnail::handler))
        .route("/password/hash", post(password::hash_handler))
        .route("/password/verify", post(password::verify_handler))
        .route("/loom", get(loom_page::handler));
    if drill {
        router = router.route("/drill/panic", post(drill::handler));
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
}

async fn unknown(uri: Uri, body: Body) -> Refusal {
    body::discard(body).await;
    Refusal::new(StatusCode::NOT_FOUND, format!("There is nothing at `{}`.", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri, body: Body) -> Refusal {
    body::discard(body).await;
    let sentence = format!("`{}` does not take {method}.", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, sentence)
}

/// The panic hook has told the operator; the client learns that it is not its fault.
fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "The service failed on this request.")
        .into_response()
}
