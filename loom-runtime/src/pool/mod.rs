//! Recycled blocks of memory.
//!
//! Owns blocks that are free, by size, for each thread and for all; the protocol is in
//! `README.md`. It does not know what is kept in them, except that some hold futures.

#![expect(unsafe_code, reason = "raw memory, linked through itself")]

mod block;
mod cache;
mod chain;
mod held;
mod reserve;

#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod tests;

use std::alloc::{Layout, dealloc};
use std::ptr::NonNull;

use block::{block_layout, class_of, fresh};
use chain::Block;
pub(crate) use held::{Held, Kind};

/// Memory for a value of this layout.
///
/// Aborts where there is none left, as every container does.
pub(crate) fn take(layout: Layout) -> NonNull<u8> {
    match class_of(layout) {
        Some(class) => match cache::take(class) {
            Some(block) => block.into_memory(),
            None => fresh(block_layout(class)),
        },
        None => fresh(layout),
    }
}

/// Takes back what [`take`] gave for the same layout.
///
/// # Safety
///
/// P1, P3, P4: the memory is the caller's, holds nothing any more, and came from `take`
/// with this layout.
pub(crate) unsafe fn give(memory: NonNull<u8>, layout: Layout) {
    match class_of(layout) {
        Some(class) => {
            // SAFETY: P3, P4: by contract it is a block of this class with nothing in it.
            let block = unsafe { Block::from_memory(memory) };
            cache::give(class, block);
        }
        // SAFETY: P4, it came from the heap under this layout.
        None => unsafe { dealloc(memory.as_ptr(), layout) },
    }
}
