//! Blocks by size, and the heap that they come from.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::chain::Block;

/// What blocks of the smaller sizes are large enough for; more comes from the heap.
pub(super) const SIZES: [usize; 3] = [256, 512, 1024];
/// A cache line, so that two blocks never share one.
pub(super) const ALIGN: usize = 64;

/// The index of the smallest size that is enough, if any is.
pub(super) const fn class_of(layout: Layout) -> Option<usize> {
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

pub(super) const fn block_layout(class: usize) -> Layout {
    match Layout::from_size_align(SIZES[class], ALIGN) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    }
}

pub(super) fn fresh(layout: Layout) -> NonNull<u8> {
    debug_assert!(layout.size() > 0, "a slot has a header");
    // SAFETY: P4, blocks have a size, and so has whatever is larger than they are.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives a block back to the heap.
pub(super) fn free(class: usize, block: Block) {
    let memory = block.into_memory();
    // SAFETY: P1, P4: the caller owned the block, and every block of a class was made with its
    // layout.
    unsafe { dealloc(memory.as_ptr(), block_layout(class)) };
}
