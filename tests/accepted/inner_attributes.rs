//! Attributes within the body hold for the body.

#![deny(warnings)]

#[loom::compute]
fn lenient(n: u32) -> u32 {
    #![allow(unused_variables)]
    #![allow(clippy::needless_return)]
    let unused = 3;
    return n;
}

#[loom::compute]
#[allow(unused_variables)]
fn outside(n: u32) -> u32 {
    let unused = 3;
    1
}

#[loom::test]
async fn runs() {
    assert_eq!(lenient(1).await + outside(2).await, 2);
}
