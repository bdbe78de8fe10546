//! In a free function its own name means the plain function.

#![allow(unsafe_code, clippy::cast_possible_truncation)]

#[loom::compute]
fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[loom::compute]
fn by_value(n: Vec<u32>) -> u32 {
    let next: fn(Vec<u32>) -> u32 = by_value;
    if n.is_empty() { 0 } else { 1 + next(n[1..].to_vec()) }
}

#[loom::compute]
fn generic<T: Clone + Send + 'static, const N: usize>(items: [T; N], left: u32) -> u32 {
    if left == 0 { 0 } else { N as u32 + generic::<T, N>(items.clone(), left - 1) }
}

#[loom::compute]
unsafe fn countdown(n: u32) -> u32 {
    // SAFETY: there is nothing to promise.
    if n == 0 { 0 } else { unsafe { countdown(n - 1) } }
}

#[loom::main]
async fn main() {
    assert_eq!(fibonacci(15).await, 610);
    assert_eq!(by_value(vec![1, 2, 3]).await, 3);
    assert_eq!(generic([1, 2], 3).await, 6);
    // SAFETY: there is nothing to promise.
    assert_eq!(unsafe { countdown(3) }.await, 0);
}

#[test]
fn runs() {
    main();
}
