//! Structures that one side fills for the other, which may know more or less of them.

/// Writes as much of the value as there is room for.
///
/// # Safety
///
/// X4: there is room for so many bytes, which are the first ones of such a structure.
pub(super) unsafe fn fill<T: Copy>(place: *mut T, size: usize, value: &T) {
    let size = size.min(size_of::<T>());
    let (from, to) = ((&raw const *value).cast::<u8>(), place.cast::<u8>());
    // SAFETY: X4, as by contract, and there are as many bytes of the value.
    unsafe { to.copy_from_nonoverlapping(from, size) };
}
