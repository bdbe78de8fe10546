//! An argument that is there under a condition.

#[loom::compute]
fn sum(a: u32, #[cfg(feature = "tax")] tax: u32) -> u32 {
    #[cfg(feature = "tax")]
    let a = a + tax;
    a
}
