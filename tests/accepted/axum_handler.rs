//! A compute function may be a handler.

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::get;

#[derive(Clone)]
struct Catalogue {
    names: std::sync::Arc<[String]>,
}

#[loom::compute(hint = "low")]
async fn handler(State(catalogue): State<Catalogue>, Path(i): Path<usize>) -> Json<Option<String>> {
    Json(catalogue.names.get(i).cloned())
}

#[loom::test]
async fn runs() {
    let catalogue = Catalogue { names: ["one".to_owned()].into() };
    let _router: axum::Router =
        axum::Router::new().route("/{i}", get(handler)).with_state(catalogue);
}
