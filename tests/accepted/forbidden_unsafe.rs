//! The expansion has no unsafe code.

#![forbid(unsafe_code)]

#[loom::compute(scope)]
fn length(text: &str) -> usize {
    text.len()
}

#[loom::compute]
fn recursive(n: u32) -> u32 {
    if n == 0 { 0 } else { recursive(n - 1) }
}

#[loom::main]
async fn main() {
    assert_eq!(length("ab").await, 2);
    assert_eq!(recursive(2).await, 0);
}

#[test]
fn runs() {
    main();
}
