//! Storage for tasks, claimed ahead.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::sync::modelled::{AtomicPtr, Ordering};

/// What slots are aligned to: a pair of cache lines, which some CPUs fetch together, and the
/// strictest alignment that types in use ask for.
pub(crate) const SLOT_ALIGN: usize = 128;

/// A free slot, linked through its first word (L7).
struct Free {
    next: *mut Free,
}

/// Slots of one size.
#[derive(Debug)]
pub(super) struct Slots {
    memory: NonNull<u8>,
    /// Of all of them; of no size where there is none.
    layout: Layout,
    stride: usize,
    count: usize,
    /// Given back by other threads.
    returned: AtomicPtr<Free>,
    /// The owner's list.
    free: Cell<*mut Free>,
    /// So many were never taken; they are the last ones. The owner's.
    fresh: Cell<usize>,
}

impl Slots {
    /// Room for so many of so many bytes each. None if there is no such amount.
    pub(super) fn new(count: usize, bytes: usize) -> Option<Self> {
        let stride = bytes.checked_next_multiple_of(SLOT_ALIGN)?;
        let layout = Layout::from_size_align(stride.checked_mul(count)?, SLOT_ALIGN).ok()?;
        let memory = if layout.size() == 0 {
            NonNull::dangling()
        } else {
            // SAFETY: L7: the layout has a size.
            let memory = unsafe { alloc(layout) };
            NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
        };
        Some(Self {
            memory,
            layout,
            stride,
            count,
            returned: AtomicPtr::new(ptr::null_mut()),
            free: Cell::new(ptr::null_mut()),
            fresh: Cell::new(count),
        })
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// A slot, for the owner alone. None if all are taken.
    pub(super) fn take(&self) -> Option<NonNull<u8>> {
        if let Some(slot) = self.pop() {
            return Some(Self::handed_out(slot, self.stride));
        }
        let fresh = self.fresh.get().checked_sub(1)?;
        self.fresh.set(fresh);
        // SAFETY: L7: a slot of the memory, within its size.
        let slot = unsafe { self.memory.add((self.count - 1 - fresh) * self.stride) };
        Some(Self::handed_out(slot, self.stride))
    }

    fn pop(&self) -> Option<NonNull<u8>> {
        if self.free.get().is_null() {
            // Relaxed to look; Acquire: with the release of whoever gave the first of them back.
            if self.returned.load(Ordering::Relaxed).is_null() {
                return None;
            }
            self.free.set(self.returned.swap(ptr::null_mut(), Ordering::Acquire));
        }
        let slot = NonNull::new(self.free.get())?;
        // SAFETY: L7: a free slot holds its link, and the list is the owner's.
        self.free.set(unsafe { slot.read() }.next);
        Some(slot.cast())
    }

    /// Gives a slot back, on the owner's thread.
    ///
    /// # Safety
    ///
    /// The slot was taken from here, and nothing is in it any more.
    pub(super) unsafe fn give(&self, slot: NonNull<u8>) {
        let slot = Self::taken_back(slot, self.stride).cast::<Free>();
        // SAFETY: L7: the slot is ours, and large and aligned enough for a word.
        unsafe { slot.write(Free { next: self.free.get() }) };
        self.free.set(slot.as_ptr());
    }

    /// Gives a slot back, on any thread.
    ///
    /// # Safety
    ///
    /// As [`Self::give`].
    pub(super) unsafe fn give_from_elsewhere(&self, slot: NonNull<u8>) {
        let slot = Self::taken_back(slot, self.stride).cast::<Free>();
        // Relaxed: nothing is read through it.
        let mut next = self.returned.load(Ordering::Relaxed);
        loop {
            // SAFETY: L7: the slot is ours until it is on the stack.
            unsafe { slot.write(Free { next }) };
            // Release: with the acquire of `pop`.
            let pushed = self.returned.compare_exchange(
                next,
                slot.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            );
            match pushed {
                Ok(_) => return,
                Err(other) => next = other,
            }
        }
    }
}

#[cfg(not(loom_fresh_blocks))]
impl Slots {
    fn handed_out(slot: NonNull<u8>, _stride: usize) -> NonNull<u8> {
        slot
    }

    fn taken_back(slot: NonNull<u8>, _stride: usize) -> NonNull<u8> {
        slot
    }
}

/// For tools that watch the heap: a block of it stands for each slot that is taken.
#[cfg(loom_fresh_blocks)]
impl Slots {
    /// Ahead of the block's use: which slot it stands for.
    fn fresh_layout(stride: usize) -> Layout {
        let layout = Layout::from_size_align(stride + SLOT_ALIGN, SLOT_ALIGN);
        layout.expect("a slot more than the slots that there are")
    }

    fn handed_out(slot: NonNull<u8>, stride: usize) -> NonNull<u8> {
        let layout = Self::fresh_layout(stride);
        // SAFETY: L7: the layout has a size.
        let block = unsafe { alloc(layout) };
        let block = NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout));
        // SAFETY: L7: the block is ours, and large and aligned enough for a pointer.
        unsafe { block.cast::<NonNull<u8>>().write(slot) };
        // SAFETY: L7: within the block.
        unsafe { block.add(SLOT_ALIGN) }
    }

    fn taken_back(lent: NonNull<u8>, stride: usize) -> NonNull<u8> {
        // SAFETY: L7: what was handed out is so far into its block.
        let block = unsafe { lent.sub(SLOT_ALIGN) };
        // SAFETY: L7: it was written by `handed_out`.
        let slot = unsafe { block.cast::<NonNull<u8>>().read() };
        // SAFETY: L7: it was allocated with this layout, and nobody uses it any more.
        unsafe { dealloc(block.as_ptr(), Self::fresh_layout(stride)) };
        slot
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: L7: it was allocated with this layout; whoever takes a slot holds the home,
            // and so no slot is taken any more.
            unsafe { dealloc(self.memory.as_ptr(), self.layout) };
        }
    }
}
