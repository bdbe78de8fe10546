//! The stage of a task: its future, then its result; and the functions that depend on its type.
//!
//! Which thread may use the stage is decided by the state word (`state.rs`, rule L2).

use std::any::Any;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::super::error::JoinError;
use super::header::{Header, Task, Vtable};
use super::slots::SLOT_ALIGN;
use crate::panics::{drop_ignoring_panic, ignore_panic};
use crate::sync::modelled::UnsafeCell;

/// How a task ended.
pub(super) type Outcome<T> = Result<T, JoinError>;

enum Stage<F: Future> {
    Future(F),
    Done(Outcome<F::Output>),
    Empty,
}

/// A task as it is laid out in memory.
#[repr(C)]
pub(super) struct TaskCell<F: Future> {
    pub(super) header: Header,
    /// The future or the result (L2).
    stage: UnsafeCell<Stage<F>>,
}

/// Whether a task with such a future fits in a slot of `stride` bytes.
pub(in super::super) const fn fits<F: Future>(stride: usize) -> bool {
    size_of::<TaskCell<F>>() <= stride && align_of::<TaskCell<F>>() <= SLOT_ALIGN
}

/// How many bytes a task with such a future needs, including its header.
pub(in super::super) const fn room<F: Future>() -> usize {
    size_of::<TaskCell<F>>()
}

impl<F: Future> TaskCell<F> {
    pub(super) const VTABLE: Vtable = Vtable {
        poll: poll::<F>,
        cancel: cancel::<F>,
        drop_result: drop_result::<F>,
        take: take::<F>,
        free: free::<F>,
    };

    pub(super) fn new(header: Header, future: F) -> Self {
        Self { header, stage: UnsafeCell::new(Stage::Future(future)) }
    }

    /// Moves the task to the heap.
    pub(super) fn boxed(self) -> Task {
        Task(NonNull::from(Box::leak(Box::new(self))).cast())
    }

    /// Moves the task to a slot.
    ///
    /// # Safety
    ///
    /// The slot is the caller's to pass on, and the task fits.
    pub(super) unsafe fn placed(self, slot: NonNull<u8>) -> Task {
        debug_assert!(size_of::<Self>() <= self.header.shared.stride());
        let cell = slot.cast::<Self>();
        // SAFETY: L7, L9: by contract.
        unsafe { cell.write(self) };
        Task(cell.cast())
    }

    /// Calls `f` with the stage.
    ///
    /// # Safety
    ///
    /// The task lives and is of this type, and its stage is the caller's (L2).
    unsafe fn with_stage<R>(task: NonNull<Header>, f: impl FnOnce(&mut Stage<F>) -> R) -> R {
        // SAFETY: L9: by contract; the header comes first in `TaskCell`, which is `repr(C)`.
        let cell = unsafe { task.cast::<Self>().as_ref() };
        cell.stage.with_mut(|stage| {
            // SAFETY: L2, by contract.
            f(unsafe { &mut *stage })
        })
    }
}

/// # Safety
///
/// See [`Vtable`].
unsafe fn poll<F: Future>(task: NonNull<Header>, cx: &mut Context<'_>) -> bool {
    let poll = |stage: &mut Stage<F>| {
        let Stage::Future(future) = stage else { return true };
        // SAFETY: L9: a task is never moved, and `finish` drops its future in place.
        let future = unsafe { Pin::new_unchecked(future) };
        let outcome = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(result)) => Ok(result),
            Err(payload) => Err(JoinError::panicked(payload)),
        };
        finish(stage, outcome);
        true
    };
    // SAFETY: L2, L9: by contract.
    unsafe { TaskCell::<F>::with_stage(task, poll) }
}

/// # Safety
///
/// See [`Vtable`].
unsafe fn cancel<F: Future>(task: NonNull<Header>) {
    // SAFETY: L2, L9: by contract.
    unsafe { TaskCell::<F>::with_stage(task, |stage| finish(stage, Err(JoinError::cancelled()))) };
}

/// Drops the future, and stores the outcome in its place. If the drop panics, the panic is the
/// outcome.
fn finish<F: Future>(stage: &mut Stage<F>, outcome: Outcome<F::Output>) {
    let dropped: Result<(), Box<dyn Any + Send>> =
        catch_unwind(AssertUnwindSafe(|| *stage = Stage::Empty));
    *stage = Stage::Done(match dropped {
        Ok(()) => outcome,
        Err(payload) => {
            drop_ignoring_panic(outcome);
            Err(JoinError::panicked(payload))
        }
    });
}

/// # Safety
///
/// See [`Vtable`].
unsafe fn drop_result<F: Future>(task: NonNull<Header>) {
    // SAFETY: L2, L9: by contract.
    let stage =
        unsafe { TaskCell::<F>::with_stage(task, |stage| mem::replace(stage, Stage::Empty)) };
    drop_ignoring_panic(stage);
}

/// # Safety
///
/// See [`Vtable`]; `to` is an `Option<Outcome<F::Output>>`.
unsafe fn take<F: Future>(task: NonNull<Header>, to: *mut ()) {
    // SAFETY: L2, L9: by contract.
    let stage =
        unsafe { TaskCell::<F>::with_stage(task, |stage| mem::replace(stage, Stage::Empty)) };
    if let Stage::Done(outcome) = stage {
        // SAFETY: L2: by contract.
        unsafe { *to.cast::<Option<Outcome<F::Output>>>() = Some(outcome) };
    }
}

/// # Safety
///
/// See [`Vtable`].
unsafe fn free<F: Future>(mut task: NonNull<Header>) {
    // SAFETY: L4: by contract no other reference exists.
    let header = unsafe { task.as_mut() };
    let is_in_slot = header.is_in_slot;
    // SAFETY: L4: the header is not used again. The shared state outlives the memory, which may be
    // its own.
    let shared = unsafe { ManuallyDrop::take(&mut header.shared) };
    let cell = task.cast::<TaskCell<F>>();
    // Everyone has done with all parts before this. The model checker sees that here.
    header.next.with_mut(|_| ());
    header.waker.with_mut(|_| ());
    // The drop of the handle's waker is user code and may panic.
    // SAFETY: L4: the task is initialised, and no other code uses it.
    ignore_panic(|| unsafe { cell.drop_in_place() });
    if is_in_slot {
        // SAFETY: L7: the slot was this task's, and the task was dropped.
        unsafe { shared.give(task.cast()) };
    } else {
        // SAFETY: L4: `boxed` allocated the memory, and its content was dropped.
        drop(unsafe { Box::from_raw(cell.cast::<MaybeUninit<TaskCell<F>>>().as_ptr()) });
    }
}
