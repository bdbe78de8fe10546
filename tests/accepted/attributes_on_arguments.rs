//! Attributes of arguments hold on either arm.

#![deny(warnings)]

#[loom::compute]
fn allowed(#[allow(unused_variables)] unused: u32, #[expect(unused_mut)] mut n: u32) -> u32 {
    n
}

#[loom::compute]
fn recursive(#[allow(unused_variables)] unused: u32, n: u32) -> u32 {
    if n == 0 { 0 } else { recursive(1, n - 1) }
}

#[loom::test]
async fn runs() {
    assert_eq!(allowed(1, 2).await, 2);
    assert_eq!(recursive(1, 2).await, 0);
}
