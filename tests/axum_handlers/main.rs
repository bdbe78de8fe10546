//! Handlers answer the same with the attribute and without it.
//!
//! They do what the examples in axum's repository do (<https://github.com/tokio-rs/axum>,
//! licence MIT): `todos`, `key-value-store`, `error-handling`, `form`, `versioning`,
//! `query-params-with-empty-strings` and `dependency-injection`. The code is new. A macro makes
//! each handler twice.

mod handlers;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// The handlers without the attribute.
mod plain {
    crate::handlers::handlers! {}
}

/// Each handler is a compute function; nothing else is changed.
mod annotated {
    crate::handlers::handlers! { loom::compute }
}

/// How many handlers there are.
const HANDLERS: usize = 17;

/// Everything that a client sees of an answer.
#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    content_type: Option<String>,
    body: String,
}

async fn ask(router: &Router, method: Method, path: &str, kind: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(body.to_owned()))
        .expect("it is a request");
    let response = router.clone().oneshot(request).await.expect("a router answers");
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = response.status();
    let body = response.into_body().collect().await.expect("it has all its body").to_bytes();
    Answer { status, content_type, body: String::from_utf8_lossy(&body).into_owned() }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const TEXT: &str = "text/plain";

/// Requests in order, each with its expected status and a part of the expected body.
#[rustfmt::skip]
const SCRIPT: &[(&str, &str, &str, &str, u16, &str)] = &[
    ("GET", "/todos", TEXT, "", 200, "[]"),
    ("POST", "/todos", JSON, r#"{"text":"write"}"#, 201, r#"{"id":1,"text":"write","completed":false}"#),
    ("POST", "/todos", JSON, r#"{"text":"test"}"#, 201, r#"{"id":2,"text":"test","completed":false}"#),
    ("POST", "/todos", JSON, r#"{"words":"none"}"#, 422, "missing field `text`"),
    ("POST", "/todos", TEXT, "write", 415, "application/json"),
    ("PATCH", "/todos/1", JSON, r#"{"completed":true}"#, 200, r#"{"id":1,"text":"write","completed":true}"#),
    ("PATCH", "/todos/7", JSON, r#"{"completed":true}"#, 404, ""),
    ("GET", "/todos?offset=1&limit=5", TEXT, "", 200, r#"[{"id":2,"text":"test","completed":false}]"#),
    ("GET", "/todos?offset=none", TEXT, "", 400, "offset"),
    ("DELETE", "/todos/2", TEXT, "", 204, ""),
    ("DELETE", "/todos/2", TEXT, "", 404, ""),
    ("PUT", "/store/a", TEXT, "one", 200, ""),
    ("PUT", "/store/b", TEXT, "two", 200, ""),
    ("GET", "/store/a", TEXT, "", 200, "one"),
    ("GET", "/store/c", TEXT, "", 404, ""),
    ("GET", "/keys", TEXT, "", 200, "a\nb"),
    ("DELETE", "/store/a", TEXT, "", 200, ""),
    ("GET", "/keys", TEXT, "", 200, "b"),
    ("DELETE", "/store", TEXT, "", 200, ""),
    ("GET", "/keys", TEXT, "", 200, ""),
    ("POST", "/accounts", JSON, r#"{"name":"Ada"}"#, 200, r#"{"id":1,"name":"Ada"}"#),
    ("POST", "/accounts", JSON, r#"{"name":""}"#, 500, r#"{"message":"a name is empty"}"#),
    ("POST", "/accounts", JSON, "{", 400, r#"{"message":"#),
    ("GET", "/form", TEXT, "", 200, "<form method=post>"),
    ("POST", "/form", FORM, "name=Ada&email=ada%40example.org", 200, "Ada <ada@example.org>"),
    ("POST", "/form", FORM, "name=Ada", 422, "email"),
    ("GET", "/v1/books", TEXT, "", 200, "version One of books"),
    ("GET", "/v9/books", TEXT, "", 404, "unknown version v9"),
    ("GET", "/search?words=&limit=", TEXT, "", 200, "None, None"),
    ("GET", "/search?words=a&limit=3", TEXT, "", 200, r#"Some("a"), Some(3)"#),
    ("GET", "/search?limit=x", TEXT, "", 400, "invalid digit"),
    ("POST", "/generic/users", JSON, r#"{"name":"Ada"}"#, 200, r#"{"id":1,"name":"Ada"}"#),
    ("GET", "/generic/users/1", TEXT, "", 200, r#"{"id":1,"name":"Ada"}"#),
    ("GET", "/generic/users/2", TEXT, "", 404, ""),
    ("GET", "/dynamic/users/1", TEXT, "", 200, r#"{"id":1,"name":"Ada"}"#),
];

#[loom::test(arm = "both")]
async fn annotated_handlers_answer_as_plain_ones() {
    let (plain, annotated) = (plain::router(), annotated::router());
    for (i, &(method, path, kind, body, status, part)) in SCRIPT.iter().enumerate() {
        let method: Method = method.parse().expect("it is a method");
        let expected = ask(&plain, method.clone(), path, kind, body).await;
        let answer = ask(&annotated, method, path, kind, body).await;
        assert_eq!(answer, expected, "request {i}: {path}");
        assert_eq!(answer.status.as_u16(), status, "request {i}: {path}: {answer:?}");
        assert!(answer.body.contains(part), "request {i}: {path}: {answer:?}");
    }
    let called = loom::functions();
    assert_eq!(called.len(), HANDLERS, "each was a compute function: {called:?}");
}

#[loom::test]
async fn annotated_handlers_answer_where_nothing_is_forced() {
    let router = annotated::router();
    for _ in 0..50 {
        let answer = ask(&router, Method::POST, "/todos", JSON, r#"{"text":"again"}"#).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    let all = ask(&router, Method::GET, "/todos?limit=100", TEXT, "").await;
    assert_eq!(all.body.matches("again").count(), 50);
}
