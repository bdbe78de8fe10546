//! What `compute.in.rs` expands to.

/// Doubles.
#[must_use]
pub async fn double(n: u32) -> u32 {
    ::loom::__private::call1(
            ::loom::__private::at!(
                "double".hinted(::loom::__private::ComputeHint::High)
            ),
            n,
            |n| -> u32 { n * 2 },
        )
        .await
}
