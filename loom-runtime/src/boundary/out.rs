//! Structures that one side fills for the other, whose version may have more or fewer fields.

/// Writes the first `size` bytes of the value, or all of it where `size` is larger.
///
/// # Safety
///
/// X4: `place` has room for `size` bytes, which are the first bytes of such a structure.
pub(super) unsafe fn fill<T: Copy>(place: *mut T, size: usize, value: &T) {
    let size = size.min(size_of::<T>());
    let (from, to) = ((&raw const *value).cast::<u8>(), place.cast::<u8>());
    // SAFETY: X4, by this function's contract; and the value has at least `size` bytes.
    unsafe { to.copy_from_nonoverlapping(from, size) };
}
