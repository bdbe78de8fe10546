//! The service: an HTTP handler that streams the answer to a query.

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use futures::{StreamExt, stream};

use crate::engine::Engine;
use crate::way::Place;

#[derive(serde::Deserialize)]
struct Asked {
    sql: String,
}

pub fn router(engine: Engine, place: Place) -> Router {
    Router::new().route("/query", get(query)).with_state((engine, place))
}

async fn query(
    State((engine, place)): State<(Engine, Place)>,
    Query(Asked { sql }): Query<Asked>,
) -> Result<Body, (StatusCode, String)> {
    let mut answer = place.polls(engine.answer(sql));
    // A query that cannot be run says so before there is an answer.
    match answer.next().await {
        Some(Err(error)) => Err((StatusCode::BAD_REQUEST, format!("{error}\n"))),
        first => Ok(Body::from_stream(stream::iter(first).chain(answer))),
    }
}
