//! A function that calls itself by its name, and one of whose result only a trait is told.

#[loom::compute]
fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[loom::compute]
fn squares<const N: usize>(numbers: [u32; N]) -> impl Iterator<Item = u32> {
    numbers.into_iter().map(|n| n * n)
}
