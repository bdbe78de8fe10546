//! The routes, and the answers to every other path.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use loom::Priority;
use loom::dashboard::Dashboard;
use loom::tower::{LoadShedLayer, Shed, SlowPollLayer};
use serde_json::{Value, json};
use tower_http::catch_panic::CatchPanicLayer;

use crate::refusal::Refusal;
use crate::{body, drill, markdown, password, thumbnail};

/// `longest_wait` is how long the compute calls of a request may wait for a thread, `deadline` how long all of a
/// request may take.
pub(crate) fn router(
    drill: bool,
    dashboard: bool,
    longest_wait: Duration,
    deadline: Option<Duration>,
) -> Router {
    // Each layer has the priority of the compute functions behind its route.
    let shed = |priority| LoadShedLayer::new(longest_wait).priority(priority).answer_with(too_busy);
    let passwords = Router::new()
        .route("/password/hash", post(password::hash_handler))
        .route("/password/verify", post(password::verify_handler))
        .layer(shed(Priority::High));
    let mut router = Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/markdown", post(markdown::handler).layer(shed(Priority::Normal)))
        .route("/thumbnail", post(thumbnail::handler).layer(shed(Priority::Low)))
        .merge(passwords)
        .route("/stats", get(stats));
    if dashboard {
        router = router.nest_service("/loom", Dashboard::new());
    }
    if drill {
        router = router.route("/drill/panic", post(drill::handler));
    }
    if let Some(limit) = deadline {
        router = router.layer(from_fn(move |request, next| in_time(limit, request, next)));
    }
    router
        .route_layer(SlowPollLayer::new())
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
}

/// What a request calls has the time that the request has.
async fn in_time(limit: Duration, request: Request, next: Next) -> Response {
    match loom::with_deadline(Instant::now() + limit, next.run(request)).await {
        Ok(answer) => answer,
        Err(_exceeded) => {
            let sentence = format!("There is no answer within {} ms.", limit.as_millis());
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence).into_response()
        }
    }
}

/// Counters of the service itself.
async fn stats() -> Json<Value> {
    Json(json!({ "thumbnails_stopped": thumbnail::stopped() }))
}

/// The layer itself sets `Retry-After`.
fn too_busy(shed: &Shed) -> Response {
    let sentence =
        format!("The service has too much to do: try again in {} s.", shed.retry_after().as_secs());
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence).into_response()
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

/// The panic hook informs the operator; this answer tells the client that the fault is not its own.
fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "The service failed on this request.")
        .into_response()
}
