//! What `conditions.in.rs` expands to.

#[cfg(not(feature = "tax"))]
async fn sum(a: u32) -> u32 {
    ::loom::__private::call1(
            ::loom::__private::at!("sum"),
            a,
            |a| -> u32 {
                #[cfg(feature = "tax")]
                let a = a + tax;
                a
            },
        )
        .await
}
#[cfg(feature = "tax")]
async fn sum(a: u32, tax: u32) -> u32 {
    ::loom::__private::call2(
            ::loom::__private::at!("sum"),
            a,
            tax,
            |a, tax| -> u32 {
                #[cfg(feature = "tax")]
                let a = a + tax;
                a
            },
        )
        .await
}
