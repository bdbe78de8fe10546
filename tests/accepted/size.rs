//! The size is any whole number, and may look at the arguments before they go.

#![deny(warnings, missing_docs, clippy::pedantic)]

#[loom::compute(hint = "low", size = data.len())]
fn total(data: Vec<u8>) -> u32 {
    data.into_iter().map(u32::from).sum()
}

#[loom::compute(size = n)]
fn double(n: u32) -> u32 {
    n * 2
}

#[loom::compute(size = items.len() * size_of::<T>())]
fn count<T: Send + 'static>(items: Vec<T>) -> usize {
    items.len()
}

/// Names of the user's that an expansion might use, too.
#[allow(non_upper_case_globals, dead_code)]
const result: u32 = 3;

#[loom::compute(size = { if n > 3 { return_value(n) } else { n } })]
fn bounded(n: u32) -> u32 {
    n + 1
}

fn return_value(n: u32) -> u32 {
    n
}

#[loom::test]
async fn runs() {
    assert_eq!(total(vec![1, 2, 3]).await, 6);
    assert_eq!(total(vec![1; 5000]).await, 5000);
    assert_eq!(double(21).await, 42);
    assert_eq!(bounded(7).await, 8);
    assert_eq!(count(vec!["a", "b"]).await, 2);
    let sizes: Vec<_> = loom::functions()
        .into_iter()
        .filter(|function| function.name.ends_with("::total"))
        .map(|function| function.sizes.expect("it tells sizes"))
        .collect();
    assert_eq!(sizes, [2..=3, 4096..=8191]);
}
