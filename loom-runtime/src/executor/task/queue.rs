//! Where entries wait: the owner's queue, and what other threads push.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::sync::modelled::{AtomicPtr, Ordering};

/// What a queue links.
///
/// # Safety
///
/// `link` and `follow` are about one and the same pointer, of this item alone.
pub(crate) unsafe trait Linked {
    /// # Safety
    ///
    /// The item is there, and the link the caller's (L1).
    unsafe fn link(item: NonNull<Self>, next: *mut Self);

    /// # Safety
    ///
    /// The same.
    unsafe fn follow(item: NonNull<Self>) -> *mut Self;
}

/// First in, first out; of one thread.
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
    /// The item is there until it is popped, and its link the caller's to give away.
    pub(super) unsafe fn push(&self, item: NonNull<T>) {
        // SAFETY: L1: by contract.
        unsafe { T::link(item, ptr::null_mut()) };
        match NonNull::new(self.last.replace(item.as_ptr())) {
            // SAFETY: L1, L3: what is in the queue is there, and its link the queue's.
            Some(last) => unsafe { T::link(last, item.as_ptr()) },
            None => self.first.set(item.as_ptr()),
        }
        self.len.set(self.len.get() + 1);
    }

    /// The same, ahead of all others.
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
        // SAFETY: L1, L3: what is in the queue is there, and its link the queue's.
        let next = unsafe { T::follow(first) };
        self.first.set(next);
        if next.is_null() {
            self.last.set(next);
        }
        self.len.set(self.len.get() - 1);
        Some(first)
    }
}

/// What other threads push, and one takes as a whole.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    top: AtomicPtr<T>,
}

impl<T: Linked> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self { top: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Stands at the top of closed arrivals; never followed.
    fn closed() -> *mut T {
        ptr::without_provenance_mut(1)
    }

    /// False if they are closed, and the item still the caller's.
    ///
    /// # Safety
    ///
    /// The item is there until it is taken, and its link the caller's to give away.
    pub(crate) unsafe fn push(&self, item: NonNull<T>) -> bool {
        // Relaxed: nothing is read through it here.
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            if top == Self::closed() {
                return false;
            }
            // SAFETY: L1: by contract.
            unsafe { T::link(item, top) };
            // Release: the link and all the caller did, with the acquire of `take`. Acquire: with
            // the driver's waker (the way to sleep in `README.md`).
            let pushed =
                self.top.compare_exchange(top, item.as_ptr(), Ordering::AcqRel, Ordering::Relaxed);
            match pushed {
                Ok(_) => return true,
                Err(other) => top = other,
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        // Acquire: with the release of a push, for whoever goes on to take it.
        let top = self.top.load(Ordering::Acquire);
        top.is_null() || top == Self::closed()
    }

    /// All of them, in the order in which they came.
    pub(crate) fn take(&self) -> Taken<T> {
        if self.is_empty() {
            return Taken(ptr::null_mut());
        }
        // Acquire: with the release of each push, which head one release sequence.
        Taken::reversed(self.top.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    /// The last of them; from now on a push is refused.
    pub(crate) fn close(&self) -> Taken<T> {
        // As `take`.
        let top = self.top.swap(Self::closed(), Ordering::AcqRel);
        if top == Self::closed() {
            return Taken(ptr::null_mut());
        }
        Taken::reversed(top)
    }
}

/// Items that were taken, which are this iterator's until it yields them.
pub(crate) struct Taken<T>(*mut T);

impl<T: Linked> Taken<T> {
    fn reversed(mut top: *mut T) -> Self {
        let mut first = ptr::null_mut();
        while let Some(item) = NonNull::new(top) {
            // SAFETY: L1, L3: what was taken is there, and its link the taker's.
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
        // SAFETY: L1, L3: the same.
        self.0 = unsafe { T::follow(first) };
        Some(first)
    }
}
