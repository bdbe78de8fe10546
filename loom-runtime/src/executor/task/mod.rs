//! The storage of tasks and their wakers: all unsafe code of the executor (`README.md`).
//!
//! Owns tasks, their memory, their queues and the home they share; what it offers is safe.
//! What an executor offers to its users is for `run.rs`.

#![expect(unsafe_code, reason = "tasks are memory that queues, wakers and handles share")]

mod cycle;
mod home;
mod late;
mod queue;
mod slots;
mod stage;
mod state;
mod waker;

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::Waker;

use crate::sync::Arc;
use crate::sync::modelled::UnsafeCell;

pub(super) use home::{Claim, Home, Size};
pub(super) use slots::SLOT_ALIGN;
pub(super) use stage::{OVERHEAD, fits, room};
pub(super) use waker::Handle;

use queue::Linked;
use stage::Vtable;
use state::State;

/// Names a task of an executor for as long as it has not completed; after that, nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId {
    /// Which executor of this process.
    home: u64,
    /// Where in its table; another task may be there later.
    place: usize,
    /// How many tasks it made before.
    serial: u64,
}

/// What every task starts with, whatever its future.
#[repr(C)]
struct Header {
    state: State,
    /// The next in the same queue (L1).
    next: UnsafeCell<*mut Header>,
    vtable: &'static Vtable,
    /// Taken when the memory goes.
    home: ManuallyDrop<Arc<Home>>,
    /// Where in the table; the owner's. [`NOWHERE`] before it has come there.
    place: Cell<usize>,
    /// The owner's, and set with the place.
    serial: Cell<u64>,
    /// L5.
    waker: UnsafeCell<Option<Waker>>,
    is_in_slot: bool,
}

/// The place of a task that another thread has made, until it arrives.
const NOWHERE: usize = usize::MAX;

/// A task, whoever holds the count that keeps it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Task(NonNull<Header>);

// SAFETY: L9: it is an address; what may be done with the task there is for the rules to say.
unsafe impl Send for Task {}

impl Task {
    /// # Safety
    ///
    /// The task is there for as long as the reference is used: the caller has a count of it, or
    /// knows who has.
    unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: L9: by contract.
        unsafe { self.0.as_ref() }
    }

    /// Drops a count, and the task with the last one.
    ///
    /// # Safety
    ///
    /// The count is the caller's.
    unsafe fn release(self) {
        // SAFETY: L4: by contract.
        let header = unsafe { self.header() };
        if header.state.release() {
            let free = header.vtable.free;
            // SAFETY: L4: it was the last count.
            unsafe { free(self.0) };
        }
    }
}

// SAFETY: L1: both are about `next`.
unsafe impl Linked for Header {
    unsafe fn link(item: NonNull<Self>, next: *mut Self) {
        // SAFETY: L1: by contract it is there.
        let header = unsafe { item.as_ref() };
        header.next.with_mut(|link| {
            // SAFETY: L1, by contract.
            unsafe { link.write(next) }
        });
    }

    unsafe fn follow(item: NonNull<Self>) -> *mut Self {
        // SAFETY: L1: by contract it is there.
        let header = unsafe { item.as_ref() };
        header.next.with(|link| {
            // SAFETY: L1, by contract.
            unsafe { link.read() }
        })
    }
}
