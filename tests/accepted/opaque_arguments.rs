//! Arguments of a type that has no name.

use std::fmt::Display;

#[loom::compute]
fn apply(
    f: impl Fn(u32) -> u32 + Send + 'static,
    items: impl IntoIterator<Item = u32, IntoIter: Send> + Send + 'static,
) -> u32 {
    items.into_iter().map(f).sum()
}

#[loom::compute]
fn mixed<T: Display + Send + 'static>(
    item: T,
    f: impl FnOnce(String) -> usize + Send + 'static,
) -> usize {
    f(item.to_string())
}

#[loom::test]
async fn runs() {
    assert_eq!(apply(|n| n + 1, [1, 2]).await, 5);
    assert_eq!(mixed(100, |text| text.len()).await, 3);
    assert_eq!(mixed::<&str>("a", |text| text.len()).await, 1);
}
