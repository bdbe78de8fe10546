//! Tests: on one arm, on both, and without async.

#[loom::test(arm = "offload")]
async fn moved() {
    work().await;
}

#[loom::test(arm = "both")]
#[should_panic]
async fn twice() {
    work().await;
}

#[loom::test]
fn plain() {
    check();
}
