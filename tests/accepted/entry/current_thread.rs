//! A runtime with one I/O thread, the caller's.

#[loom::main(tokio_flavor = "current_thread", rayon_threads = 1, pin_threads = false)]
async fn main() {
    assert_eq!(loom::spawn_compute(|| 1).await, 1);
    let local = tokio::task::yield_now();
    local.await;
}

#[test]
fn runs() {
    main();
}
