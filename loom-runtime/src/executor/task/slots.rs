//! The storage for tasks that an executor claims when it is made.
//!
//! It does not know what is in a taken slot.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::sync::modelled::{AtomicPtr, Ordering};

/// The alignment of slots: a pair of cache lines, which some CPUs fetch together, and the strictest
/// alignment that types need in practice.
pub(crate) const SLOT_ALIGN: usize = 128;

/// A free slot, linked through its first word (L7).
#[derive(Debug)]
struct Free {
    next: *mut Free,
}

/// The slots of one executor, all of one size.
#[derive(Debug)]
pub(super) struct Slots {
    memory: NonNull<u8>,
    /// The layout of all slots together. Its size is 0 if there are no slots.
    layout: Layout,
    stride: usize,
    count: usize,
    /// Slots that other threads returned.
    returned: AtomicPtr<Free>,
    /// The owner's list of free slots.
    free: Cell<*mut Free>,
    /// How many slots were never taken; they are the last ones. Used by the owner only.
    fresh: Cell<usize>,
    /// Stands for the memory of each slot, which the model checker does not see.
    #[cfg(all(test, loom_model))]
    touched: Box<[crate::sync::modelled::UnsafeCell<()>]>,
}

impl Slots {
    /// Allocates `count` slots of at least `bytes` bytes each. `None` if the total size exceeds the
    /// largest possible allocation.
    pub(super) fn new(count: usize, bytes: usize) -> Option<Self> {
        let stride = bytes.checked_next_multiple_of(SLOT_ALIGN)?;
        let layout = Layout::from_size_align(stride.checked_mul(count)?, SLOT_ALIGN).ok()?;
        let memory = if layout.size() == 0 {
            NonNull::dangling()
        } else {
            // SAFETY: L7: the size of the layout is not 0.
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
            #[cfg(all(test, loom_model))]
            touched: (0..count).map(|_| crate::sync::modelled::UnsafeCell::new(())).collect(),
        })
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Takes a slot, on the owner's thread. `None` if all are taken.
    pub(super) fn take(&self) -> Option<NonNull<u8>> {
        if let Some(slot) = self.pop() {
            return Some(Self::handed_out(slot, self.stride));
        }
        let fresh = self.fresh.get().checked_sub(1)?;
        self.fresh.set(fresh);
        // SAFETY: L7: the slot is within the allocation.
        let slot = unsafe { self.memory.add((self.count - 1 - fresh) * self.stride) };
        Some(Self::handed_out(slot, self.stride))
    }

    fn pop(&self) -> Option<NonNull<u8>> {
        if self.free.get().is_null() {
            // Relaxed: a check for null only. Acquire: with the releases of `give_from_elsewhere`.
            if self.returned.load(Ordering::Relaxed).is_null() {
                return None;
            }
            self.free.set(self.returned.swap(ptr::null_mut(), Ordering::Acquire));
        }
        let slot = NonNull::new(self.free.get())?;
        self.touch(slot);
        // SAFETY: L7: a free slot holds its link, and the list is the owner's.
        self.free.set(unsafe { slot.read() }.next);
        Some(slot.cast())
    }

    /// Returns a slot, on the owner's thread.
    ///
    /// # Safety
    ///
    /// The slot was taken from this storage, and nothing is in it any more.
    pub(super) unsafe fn give(&self, slot: NonNull<u8>) {
        let slot = Self::taken_back(slot, self.stride).cast::<Free>();
        self.touch(slot);
        // SAFETY: L7: the slot is this thread's, and large and aligned enough for a word.
        unsafe { slot.write(Free { next: self.free.get() }) };
        self.free.set(slot.as_ptr());
    }

    /// Returns a slot, on any thread.
    ///
    /// # Safety
    ///
    /// As [`Self::give`].
    pub(super) unsafe fn give_from_elsewhere(&self, slot: NonNull<u8>) {
        let slot = Self::taken_back(slot, self.stride).cast::<Free>();
        // Relaxed: the pointer is not dereferenced.
        let mut next = self.returned.load(Ordering::Relaxed);
        loop {
            self.touch(slot);
            // SAFETY: L7: the slot is this thread's until it is on the stack.
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

impl Slots {
    /// The calling thread uses this slot's memory, which the model checker has to be told.
    #[cfg(not(all(test, loom_model)))]
    #[expect(clippy::unused_self, reason = "the model checker's has one")]
    fn touch(&self, _slot: NonNull<Free>) {}

    #[cfg(all(test, loom_model))]
    fn touch(&self, slot: NonNull<Free>) {
        let at = (slot.addr().get() - self.memory.addr().get()) / self.stride;
        self.touched[at].with_mut(|_| ());
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

/// For tools that watch the heap: each taken slot is represented by a heap block of its own.
#[cfg(loom_fresh_blocks)]
impl Slots {
    /// The layout of such a block: a pointer to the slot that it represents, padded to
    /// [`SLOT_ALIGN`], and the memory of the task.
    fn fresh_layout(stride: usize) -> Layout {
        let layout = Layout::from_size_align(stride + SLOT_ALIGN, SLOT_ALIGN);
        layout.expect("a slot and its prefix fit in the address space")
    }

    fn handed_out(slot: NonNull<u8>, stride: usize) -> NonNull<u8> {
        let layout = Self::fresh_layout(stride);
        // SAFETY: L7: the size of the layout is not 0.
        let block = unsafe { alloc(layout) };
        let block = NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout));
        // SAFETY: L7: the block is this thread's, and large and aligned enough for a pointer.
        unsafe { block.cast::<NonNull<u8>>().write(slot) };
        // SAFETY: L7: within the block.
        unsafe { block.add(SLOT_ALIGN) }
    }

    fn taken_back(lent: NonNull<u8>, stride: usize) -> NonNull<u8> {
        // SAFETY: L7: `handed_out` returned an address this far into the block.
        let block = unsafe { lent.sub(SLOT_ALIGN) };
        // SAFETY: L7: `handed_out` wrote the address of the slot there.
        let slot = unsafe { block.cast::<NonNull<u8>>().read() };
        // SAFETY: L7: the block was allocated with this layout, and is not used any more.
        unsafe { dealloc(block.as_ptr(), Self::fresh_layout(stride)) };
        slot
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: L7: the memory was allocated with this layout. A taken slot keeps the shared
            // state alive, so no slot is taken any more.
            unsafe { dealloc(self.memory.as_ptr(), self.layout) };
        }
    }
}
