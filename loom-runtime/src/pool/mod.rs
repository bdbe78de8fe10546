//! Recycled blocks of memory.
//!
//! Owns the free blocks of each size, those that a thread caches and those in the reserve; the
//! protocol is in `README.md`. It does not know what a block that is in use holds, except where it
//! holds a future (`held.rs`) or a value (`boxed.rs`).

#![expect(unsafe_code, reason = "raw memory, linked through itself")]

mod block;
mod boxed;
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
pub(crate) use boxed::Boxed;
use chain::Block;
pub(crate) use held::{Held, Kind};

/// Memory for a value of this layout.
///
/// Aborts the process if no memory is left, as every container of std does.
pub(crate) fn take(layout: Layout) -> NonNull<u8> {
    match class_of(layout) {
        Some(class) => match cache::take(class) {
            Some(block) => block.into_memory(),
            None => fresh(block_layout(class)),
        },
        None => fresh(layout),
    }
}

/// Takes back memory that [`take`] returned for the same layout.
///
/// # Safety
///
/// P1, P3, P4: the caller owns the memory, which no longer holds a value, and which `take` returned
/// for this layout.
pub(crate) unsafe fn give(memory: NonNull<u8>, layout: Layout) {
    match class_of(layout) {
        Some(class) => {
            // SAFETY: P3, P4: by contract it is an empty block of this class.
            let block = unsafe { Block::from_memory(memory) };
            cache::give(class, block);
        }
        // SAFETY: P4, `take` allocated it from the heap with this layout.
        None => unsafe { dealloc(memory.as_ptr(), layout) },
    }
}
