//! The sizes of blocks, and the heap that they come from.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::chain::Block;

/// The sizes of blocks, smallest first. Memory for a larger value comes from the heap.
pub(super) const SIZES: [usize; 3] = [256, 512, 1024];
/// A cache line, so that two blocks never share one.
pub(super) const ALIGN: usize = 64;

/// The index of the smallest size that fits. `None` if the value needs the heap.
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
    // SAFETY: P4, the layout has a size: it is a block's, or that of a slot or future that does not
    // fit a block.
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
