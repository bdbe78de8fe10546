//! A function with nothing special about it.

/// Doubles.
#[loom::compute(hint = "high")]
#[must_use]
pub fn double(n: u32) -> u32 {
    n * 2
}
