//! A value in a recycled block.

use std::alloc::Layout;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::{give, take};

/// A box whose memory is a block: one word, for a value that is large and seldom there.
pub(crate) struct Boxed<T> {
    /// P7: the value, from `new` until the drop or `into_inner`.
    value: NonNull<T>,
}

// SAFETY: P7: the box owns the value, as std's does.
unsafe impl<T: Send> Send for Boxed<T> {}

// SAFETY: P7: as above.
unsafe impl<T: Sync> Sync for Boxed<T> {}

/// Gives the block of a `T` back, whose value is gone.
struct Back<T>(NonNull<T>);

impl<T> Drop for Back<T> {
    fn drop(&mut self) {
        // SAFETY: P1, P3, P4: this owns the block, which was taken with this layout and is empty.
        unsafe { give(self.0.cast(), Layout::new::<T>()) };
    }
}

impl<T> Boxed<T> {
    pub(crate) fn new(value: T) -> Self {
        let block = take(Layout::new::<T>()).cast::<T>();
        // SAFETY: P1, P4: this function owns the block, which is large enough.
        unsafe { block.write(value) };
        Self { value: block }
    }

    pub(crate) fn into_inner(self) -> T {
        let back = Back(mem::ManuallyDrop::new(self).value);
        // SAFETY: P7, it is moved out once, since this consumes the box.
        unsafe { back.0.read() }
    }
}

impl<T> Deref for Boxed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: P7.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for Boxed<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: P7, and the box is borrowed.
        unsafe { self.value.as_mut() }
    }
}

impl<T> Drop for Boxed<T> {
    fn drop(&mut self) {
        // The block is given back even if the drop of the value panics.
        let back = Back(self.value);
        // SAFETY: P7, it is dropped once.
        unsafe { back.0.drop_in_place() };
    }
}
