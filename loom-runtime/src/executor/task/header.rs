//! The header of every task, and a task by its address.
//!
//! What depends on the future's type is in `stage.rs`.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{Context, Waker};

use super::queue::Linked;
use super::shared::Shared;
use super::state::State;
use crate::sync::Arc;
use crate::sync::modelled::UnsafeCell;

/// Identifies a task of an executor. No other task of the process has the same id, also after the
/// task has completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId {
    /// The number of the executor, unique in this process.
    pub(super) shared: u64,
    /// The place in the executor's table, where another task may be later. [`NOWHERE`] if another
    /// thread made the task: the place was not known then.
    pub(super) place: usize,
    /// The executor's running number of the task.
    pub(super) serial: u64,
}

/// Set in the numbers of tasks that other threads made, which are counted apart.
pub(super) const FROM_ELSEWHERE: u64 = 1 << 63;

/// The part of a task that does not depend on its future's type.
#[repr(C)]
pub(super) struct Header {
    pub(super) state: State,
    /// The next entry of the same queue (L1).
    pub(super) next: UnsafeCell<*mut Header>,
    pub(super) vtable: &'static Vtable,
    /// Taken out when the task's memory is freed.
    pub(super) shared: ManuallyDrop<Arc<Shared>>,
    /// The place in the table, used by the owner only. [`NOWHERE`] until the task is in the table.
    pub(super) place: Cell<usize>,
    /// The running number. The owner sets it together with the place. If another thread made the
    /// task, that thread sets it before the owner sees the task.
    pub(super) serial: Cell<u64>,
    /// The waker of the handle (L5).
    pub(super) waker: UnsafeCell<Option<Waker>>,
    pub(super) is_in_slot: bool,
}

/// The place of a task that is not in the table. Such a task is new: another thread made it, and
/// the owner has not taken it from the inbox yet.
pub(super) const NOWHERE: usize = usize::MAX;

/// The bytes of a slot that are not for the future or its result: the header, and the
/// discriminants of the stage and of the outcome.
pub(in super::super) const OVERHEAD: usize = size_of::<Header>() + 2 * size_of::<usize>();

/// The functions that depend on the future's type. Each takes a live task of that type.
pub(super) struct Vtable {
    /// Polls the future (L2: only the owner may). True if the stage holds the result from now on.
    pub(super) poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future, and stores the error as the result (L2, L8).
    pub(super) cancel: unsafe fn(NonNull<Header>),
    /// Drops the result, if there is one (L2).
    pub(super) drop_result: unsafe fn(NonNull<Header>),
    /// Moves the result to an `Option<Outcome<T>>`, if there is one (L2).
    pub(super) take: unsafe fn(NonNull<Header>, *mut ()),
    /// Frees the memory of a task whose stage is empty (L4).
    pub(super) free: unsafe fn(NonNull<Header>),
}

/// A task by its address. It holds no count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task(pub(super) NonNull<Header>);

// SAFETY: L9: it is an address; the rules say what each thread may do with the task.
unsafe impl Send for Task {}

impl Task {
    /// # Safety
    ///
    /// The task lives as long as the reference is used: the caller has a count of it, or knows that
    /// other code has one.
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

// SAFETY: L1: both functions use `next`.
unsafe impl Linked for Header {
    unsafe fn link(item: NonNull<Self>, next: *mut Self) {
        // SAFETY: L1: by contract the item lives.
        let header = unsafe { item.as_ref() };
        header.next.with_mut(|link| {
            // SAFETY: L1, by contract.
            unsafe { link.write(next) }
        });
    }

    unsafe fn follow(item: NonNull<Self>) -> *mut Self {
        // SAFETY: L1: by contract the item lives.
        let header = unsafe { item.as_ref() };
        header.next.with(|link| {
            // SAFETY: L1, by contract.
            unsafe { link.read() }
        })
    }
}
