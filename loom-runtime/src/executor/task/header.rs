//! What every task starts with, and a task by its address.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{Context, Waker};

use super::queue::Linked;
use super::shared::Shared;
use super::state::State;
use crate::sync::Arc;
use crate::sync::modelled::UnsafeCell;

/// Names a task of an executor for as long as it has not completed; after that, nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId {
    /// Which executor of this process.
    pub(super) shared: u64,
    /// Where in its table; another task may be there later.
    pub(super) place: usize,
    /// How many tasks it made before.
    pub(super) serial: u64,
}

/// What every task starts with, whatever its future.
#[repr(C)]
pub(super) struct Header {
    pub(super) state: State,
    /// The next in the same queue (L1).
    pub(super) next: UnsafeCell<*mut Header>,
    pub(super) vtable: &'static Vtable,
    /// Taken when the memory goes.
    pub(super) shared: ManuallyDrop<Arc<Shared>>,
    /// Where in the table; the owner's. [`NOWHERE`] before it has come there.
    pub(super) place: Cell<usize>,
    /// The owner's, and set with the place.
    pub(super) serial: Cell<u64>,
    /// L5.
    pub(super) waker: UnsafeCell<Option<Waker>>,
    pub(super) is_in_slot: bool,
}

/// The place of a task that another thread has made, until it arrives.
pub(super) const NOWHERE: usize = usize::MAX;

/// The part of a slot that is not for the future or its result: the header, and what tells one from
/// the other.
pub(in super::super) const OVERHEAD: usize = size_of::<Header>() + 2 * size_of::<usize>();

/// The functions that know the type. Each takes a task of that type that is there.
pub(super) struct Vtable {
    /// Polls the future (L2: for the owner). True if the stage holds the result from now on.
    pub(super) poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future, and leaves the error as the result (L2, L8).
    pub(super) cancel: unsafe fn(NonNull<Header>),
    /// Drops the result, if there is one (L2).
    pub(super) drop_result: unsafe fn(NonNull<Header>),
    /// Moves the result to an `Option<Outcome<T>>`, if there is one (L2).
    pub(super) take: unsafe fn(NonNull<Header>, *mut ()),
    /// Gives the memory back, the stage being empty (L4).
    pub(super) free: unsafe fn(NonNull<Header>),
}

/// A task, whoever holds the count that keeps it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task(pub(super) NonNull<Header>);

// SAFETY: L9: it is an address; what may be done with the task there is for the rules to say.
unsafe impl Send for Task {}

impl Task {
    /// # Safety
    ///
    /// The task is there for as long as the reference is used: the caller has a count of it, or
    /// knows who has.
    pub(super) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: L9: by contract.
        unsafe { self.0.as_ref() }
    }

    /// Drops a count, and the task with the last one.
    ///
    /// # Safety
    ///
    /// The count is the caller's.
    pub(super) unsafe fn release(self) {
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
