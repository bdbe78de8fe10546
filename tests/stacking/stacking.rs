//! `#[loom::compute]` and `#[loom::test]` among the attributes of other crates, above and below.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use cached::proc_macro::cached;
use serial_test::{parallel, serial};
use tracing::instrument;

fn bytes(length: usize) -> Vec<u8> {
    vec![1; length]
}

mod instrumented {
    //! `#[instrument]`, whose fields are expressions of the arguments.

    use super::*;

    #[instrument(fields(size = %format_args!("{}", data.len())))]
    #[loom::compute]
    fn above(data: Vec<u8>) -> usize {
        data.len()
    }

    #[loom::compute]
    #[instrument(fields(size = %format_args!("{}", data.len())), skip(data))]
    fn below(data: Vec<u8>) -> usize {
        data.len()
    }

    #[loom::compute]
    #[instrument(parent = &parent, skip_all)]
    fn with_a_parent(parent: tracing::Span, n: u32) -> u32 {
        let _ = parent;
        n
    }

    #[loom::compute]
    #[instrument(err, ret, skip(text))]
    fn with_its_result(text: String, radix: u32) -> Result<u32, std::num::ParseIntError> {
        u32::from_str_radix(&text, radix)
    }

    #[loom::compute]
    #[instrument(fields(all = ?data, len = data.len()), ret)]
    fn generic<T: Debug + Send + 'static>(Json(data): Json<Vec<T>>) -> usize {
        data.len()
    }

    struct Service {
        name: String,
    }

    impl Service {
        #[loom::compute]
        #[instrument(skip(self), fields(name = %self.name, more = more + 1))]
        fn below(self: Arc<Self>, more: usize) -> usize {
            self.name.len() + more
        }

        #[instrument(skip(self))]
        #[loom::compute]
        fn above(self: Arc<Self>, more: usize) -> usize {
            self.name.len() + more
        }
    }

    #[loom::test(arm = "both")]
    async fn they_run() {
        assert_eq!(above(bytes(3)).await, 3);
        assert_eq!(below(bytes(3)).await, 3);
        assert_eq!(with_a_parent(tracing::Span::none(), 4).await, 4);
        assert_eq!(with_its_result("5".to_owned(), 10).await, Ok(5));
        assert!(with_its_result("x".to_owned(), 10).await.is_err());
        assert_eq!(generic(Json(vec!['a', 'b'])).await, 2);
        let service = Arc::new(Service { name: "abc".to_owned() });
        assert_eq!(Arc::clone(&service).below(1).await, 4);
        assert_eq!(service.above(2).await, 5);
    }
}

mod remembered {
    //! `#[cached]`, which keeps results by the arguments.

    use super::*;

    static RUNS: AtomicUsize = AtomicUsize::new(0);

    #[loom::compute]
    #[cached]
    fn below(n: u32) -> u32 {
        RUNS.fetch_add(1, Ordering::Relaxed);
        n + 1
    }

    #[loom::compute]
    #[cached(key = "usize", convert = r"{ text.len() }")]
    fn by_a_key(text: String) -> usize {
        RUNS.fetch_add(1, Ordering::Relaxed);
        text.len()
    }

    #[loom::test]
    async fn a_result_is_computed_once() {
        for _ in 0..3 {
            assert_eq!(below(1).await, 2);
            assert_eq!(by_a_key("abc".to_owned()).await, 3);
        }
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    }
}

mod handlers {
    //! Handlers of axum, checked by `#[debug_handler]`.

    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::post;
    use tower::ServiceExt;

    #[loom::compute]
    #[axum::debug_handler]
    fn below(Json(data): Json<Vec<u32>>) -> String {
        data.iter().sum::<u32>().to_string()
    }

    #[axum::debug_handler]
    #[loom::compute]
    async fn above(Json(data): Json<Vec<u32>>) -> String {
        data.iter().max().copied().unwrap_or_default().to_string()
    }

    #[loom::compute]
    #[axum::debug_handler]
    #[instrument(fields(len = data.len()))]
    fn among_others(Json(data): Json<Vec<u32>>) -> String {
        data.len().to_string()
    }

    #[loom::test]
    async fn they_answer() {
        let router = axum::Router::new()
            .route("/sum", post(below))
            .route("/max", post(above))
            .route("/len", post(among_others));
        for (path, answer) in [("/sum", "6"), ("/max", "3"), ("/len", "3")] {
            let request = Request::post(path).header("content-type", "application/json");
            let request = request.body(Body::from("[1, 2, 3]")).expect("it is a request");
            let response = router.clone().oneshot(request).await.expect("it does not fail");
            let body = axum::body::to_bytes(response.into_body(), 100).await.expect("it is short");
            assert_eq!(body, answer, "{path}");
        }
    }
}

#[async_trait::async_trait]
trait Compute {
    async fn compute(&self, data: Vec<u8>) -> usize;
}

struct Sums;

#[loom::compute]
fn sum(data: Vec<u8>) -> usize {
    data.iter().map(|&one| usize::from(one)).sum()
}

#[async_trait::async_trait]
impl Compute for Sums {
    async fn compute(&self, data: Vec<u8>) -> usize {
        sum(data).await
    }
}

#[loom::test(arm = "both")]
async fn a_method_of_an_async_trait_calls_a_compute_function() {
    let sums: Box<dyn Compute + Send + Sync> = Box::new(Sums);
    assert_eq!(sums.compute(bytes(3)).await, 3);
}

#[serial(one)]
#[loom::test]
async fn serial_above() {
    assert_eq!(sum(bytes(1)).await, 1);
}

#[loom::test]
#[serial(one)]
async fn serial_below() {
    assert_eq!(sum(bytes(2)).await, 2);
}

#[parallel(one)]
#[loom::test(arm = "both")]
async fn parallel_above_both() {
    assert_eq!(sum(bytes(3)).await, 3);
}

#[test_log::test(loom::test)]
async fn test_log_around() {
    assert_eq!(sum(bytes(4)).await, 4);
}

#[test_log::test]
#[loom::test]
async fn test_log_above() {
    assert_eq!(sum(bytes(5)).await, 5);
}

#[rstest::rstest]
#[case(1)]
#[case(2)]
#[serial(one)]
#[loom::test(arm = "both")]
async fn rstest_and_serial(#[case] n: usize) {
    assert_eq!(sum(bytes(n)).await, n);
}
