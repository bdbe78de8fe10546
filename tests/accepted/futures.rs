//! The future is what an `async fn` makes.

use std::sync::Arc;

#[loom::compute]
fn double(n: Arc<u32>) -> u32 {
    *n * 2
}

fn assert_send<T: Send + 'static>(value: T) -> T {
    value
}

#[loom::test]
async fn runs() {
    let n = Arc::new(1);
    let never_polled = double(Arc::clone(&n));
    drop(never_polled);
    assert_eq!(Arc::strong_count(&n), 1);
    assert_eq!(assert_send(double(Arc::clone(&n))).await, 2);
    let many = futures(n).await;
    assert_eq!(many, 6);
}

async fn futures(n: Arc<u32>) -> u32 {
    let (a, b) = tokio::join!(double(Arc::clone(&n)), double(Arc::clone(&n)));
    a + b + tokio::spawn(double(n)).await.expect("it does not panic")
}
