//! Documented, warnings denied: the expansion adds none of its own.

#![deny(warnings, missing_docs, clippy::pedantic)]

/// Doubles.
#[loom::compute]
pub fn documented(n: u32) -> u32 {
    n * 2
}

/// Gives a result that must be used.
#[loom::compute(hint = "low")]
#[must_use]
pub async fn with_attributes(mut words: Vec<String>, _: u8) -> Vec<String> {
    words.sort();
    words
}

#[loom::main]
async fn main() {
    assert_eq!(documented(2).await, 4);
    assert_eq!(with_attributes(vec!["b".into(), "a".into()], 0).await, ["a", "b"]);
}

#[test]
fn runs() {
    main();
}
