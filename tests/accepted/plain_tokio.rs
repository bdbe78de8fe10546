//! A compute function needs no runtime of Loom.

#[loom::compute(hint = "high")]
fn heavy(n: u64) -> u64 {
    (1..=n).sum()
}

#[tokio::main]
async fn main() {
    assert_eq!(heavy(10).await, 55);
}

#[test]
fn runs() {
    main();
}
