//! Recycled blocks of memory.
//!
//! Owns blocks that are free, by size, for each thread and for all; the protocol is in
//! `README.md`. It knows nothing of what is kept in them, but
//! that some of it are futures.

#![expect(unsafe_code, reason = "raw memory, linked through itself")]

mod cache;
mod chain;
mod held;
mod reserve;

#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod tests;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use chain::Block;
pub(crate) use held::{Held, Kind};

/// What blocks of the smaller sizes are large enough for; more comes from the heap.
const SIZES: [usize; 3] = [256, 512, 1024];
/// A cache line, so that two blocks never share one.
const ALIGN: usize = 64;

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

/// The index of the smallest size that is enough, if any is.
const fn class_of(layout: Layout) -> Option<usize> {
    if layout.align() > ALIGN {
        return None;
    }
    let mut class = 0;
    while class < SIZES.len() {
        if layout.size() <= SIZES[class] {
            return Some(class);
        }
        class += 1;
    }
    None
}

const fn block_layout(class: usize) -> Layout {
    match Layout::from_size_align(SIZES[class], ALIGN) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    }
}

fn fresh(layout: Layout) -> NonNull<u8> {
    debug_assert!(layout.size() > 0, "a slot has a header");
    // SAFETY: P4, blocks have a size, and so has whatever is larger than they are.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives a block back to the heap.
fn free(class: usize, block: Block) {
    let memory = block.into_memory();
    // SAFETY: P1, P4: the block was ours, and every block of a class was made with its layout.
    unsafe { dealloc(memory.as_ptr(), block_layout(class)) };
}
