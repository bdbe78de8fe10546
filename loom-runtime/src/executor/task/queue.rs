//! The queues of entries: the owner's queue, and the inbox that other threads push to.
//!
//! They link items and do not own them.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::sync::modelled::{AtomicPtr, Ordering};

/// An item of a queue, which has a link.
///
/// # Safety
///
/// `link` and `follow` access the same pointer, which belongs to this item alone.
pub(crate) unsafe trait Linked {
    /// # Safety
    ///
    /// The item lives, and its link is the caller's (L1).
    unsafe fn link(item: NonNull<Self>, next: *mut Self);

    /// # Safety
    ///
    /// As [`Self::link`].
    unsafe fn follow(item: NonNull<Self>) -> *mut Self;
}

/// A first in, first out queue of one thread.
#[derive(Debug)]
pub(super) struct Fifo<T> {
    first: Cell<*mut T>,
    last: Cell<*mut T>,
    len: Cell<usize>,
}

impl<T: Linked> Fifo<T> {
    pub(super) const fn new() -> Self {
        let none = ptr::null_mut();
        Self { first: Cell::new(none), last: Cell::new(none), len: Cell::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    /// # Safety
    ///
    /// The item lives until it is popped, and its link is the caller's to pass on.
    pub(super) unsafe fn push(&self, item: NonNull<T>) {
        // SAFETY: L1: by contract.
        unsafe { T::link(item, ptr::null_mut()) };
        match NonNull::new(self.last.replace(item.as_ptr())) {
            // SAFETY: L1, L3: a queued item lives, and its link is the queue's.
            Some(last) => unsafe { T::link(last, item.as_ptr()) },
            None => self.first.set(item.as_ptr()),
        }
        self.len.set(self.len.get() + 1);
    }

    /// Pushes an item to the front.
    ///
    /// # Safety
    ///
    /// As [`Self::push`].
    pub(super) unsafe fn push_front(&self, item: NonNull<T>) {
        let first = self.first.replace(item.as_ptr());
        // SAFETY: L1, by contract.
        unsafe { T::link(item, first) };
        if first.is_null() {
            self.last.set(item.as_ptr());
        }
        self.len.set(self.len.get() + 1);
    }

    pub(super) fn pop(&self) -> Option<NonNull<T>> {
        let first = NonNull::new(self.first.get())?;
        // SAFETY: L1, L3: a queued item lives, and its link is the queue's.
        let next = unsafe { T::follow(first) };
        self.first.set(next);
        if next.is_null() {
            self.last.set(next);
        }
        self.len.set(self.len.get() - 1);
        Some(first)
    }
}

/// A stack that any thread may push to, and that one thread takes as a whole.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    top: AtomicPtr<T>,
}

impl<T: Linked> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self { top: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The mark of a closed inbox. It is never dereferenced.
    fn closed() -> *mut T {
        ptr::without_provenance_mut(1)
    }

    /// False if the inbox is closed; the item then still belongs to the caller.
    ///
    /// # Safety
    ///
    /// The item lives until it is taken, and its link is the caller's to pass on.
    pub(crate) unsafe fn push(&self, item: NonNull<T>) -> bool {
        // Relaxed: the pointer is not dereferenced here.
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            if top == Self::closed() {
                return false;
            }
            // SAFETY: L1: by contract.
            unsafe { T::link(item, top) };
            // Release: publishes the link and all earlier writes of the caller, with the acquires of
            // `take` and `close`.
            let pushed =
                self.top.compare_exchange(top, item.as_ptr(), Ordering::Release, Ordering::Relaxed);
            match pushed {
                Ok(_) => return true,
                Err(other) => top = other,
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: `take` acquires. A driver that is about to sleep sees a push by what it acquires
        // from the cell of its waker (`README.md`, Going to sleep).
        let top = self.top.load(Ordering::Relaxed);
        top.is_null() || top == Self::closed()
    }

    /// Takes all items, in the order in which they were pushed.
    pub(crate) fn take(&self) -> Taken<T> {
        if self.is_empty() {
            return Taken(ptr::null_mut());
        }
        // Acquire: with the release of each push, since all pushes head one release sequence.
        Taken::reversed(self.top.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// Takes the last items. From now on each push is refused.
    pub(crate) fn close(&self) -> Taken<T> {
        // As `take`.
        let top = self.top.swap(Self::closed(), Ordering::Acquire);
        if top == Self::closed() {
            return Taken(ptr::null_mut());
        }
        Taken::reversed(top)
    }
}

/// Items that were taken. Each belongs to this iterator until it is yielded.
pub(crate) struct Taken<T>(*mut T);

impl<T: Linked> Taken<T> {
    fn reversed(mut top: *mut T) -> Self {
        let mut first = ptr::null_mut();
        while let Some(item) = NonNull::new(top) {
            // SAFETY: L1, L3: a taken item lives, and its link is the taker's.
            top = unsafe { T::follow(item) };
            // SAFETY: L1: the same.
            unsafe { T::link(item, first) };
            first = item.as_ptr();
        }
        Self(first)
    }
}

impl<T: Linked> Iterator for Taken<T> {
    type Item = NonNull<T>;

    fn next(&mut self) -> Option<NonNull<T>> {
        let first = NonNull::new(self.0)?;
        // SAFETY: L1, L3: a taken item lives, and its link is the iterator's.
        self.0 = unsafe { T::follow(first) };
        Some(first)
    }
}
