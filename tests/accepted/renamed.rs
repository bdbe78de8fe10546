//! The attributes take the path of a renamed library.

use loom as weaver;

#[weaver::compute(crate = weaver, hint = "low", size = 1, priority = "low")]
fn one() -> u8 {
    1
}

#[weaver::compute(crate = crate::renamed::weaver, scope)]
fn length(text: &str) -> usize {
    text.len()
}

#[weaver::main(crate = weaver, placement = "shared", tokio_threads = 1)]
async fn main() {
    assert_eq!(one().await, 1);
    assert_eq!(length("ab").await, 2);
}

#[test]
fn runs() {
    main();
}
