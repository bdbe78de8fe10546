//! What `recursion.in.rs` expands to.

async fn fibonacci(n: u64) -> u64 {
    ::loom::__private::call1(
            ::loom::__private::at!("fibonacci"),
            n,
            |__loom_arg0| {
                #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments)]
                fn fibonacci(n: u64) -> u64 {
                    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
                }
                fibonacci(__loom_arg0)
            },
        )
        .await
}
async fn squares<const N: usize>(numbers: [u32; N]) -> impl Iterator<Item = u32> {
    ::loom::__private::call1(
            ::loom::__private::at!("squares"),
            numbers,
            |numbers| -> _ { numbers.into_iter().map(|n| n * n) },
        )
        .await
}
