//! A deprecated function does not warn of itself.

#![deny(warnings)]

#[loom::compute]
#[deprecated(note = "use another")]
fn old(n: u32) -> u32 {
    n
}

#[deprecated]
#[loom::compute]
fn older(n: u32) -> u32 {
    if n == 0 { 0 } else { older(n - 1) }
}

#[allow(deprecated)]
#[loom::test]
async fn runs() {
    assert_eq!(old(1).await + older(1).await, 1);
}
