//! Wakers and handles: what others hold of a task.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::header::{Header, Task};
use super::shared::Turn;
use super::stage::Outcome;
use crate::panics::{drop_ignoring_panic, ignore_panic};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// A waker of the task, which has no count of its own.
pub(super) fn raw_waker(task: Task) -> RawWaker {
    RawWaker::new(task.0.as_ptr().cast_const().cast(), &VTABLE)
}

/// The task of a waker.
///
/// # Safety
///
/// The pointer is one of `refer`.
unsafe fn task_of(pointer: *const ()) -> Task {
    // SAFETY: L9: by contract it was not null.
    Task(unsafe { NonNull::new_unchecked(pointer.cast_mut().cast::<Header>()) })
}

unsafe fn clone(pointer: *const ()) -> RawWaker {
    // SAFETY: L9: it is a waker's.
    let task = unsafe { task_of(pointer) };
    // SAFETY: L4: the waker keeps it there.
    unsafe { task.header() }.state.hold();
    raw_waker(task)
}

unsafe fn wake(pointer: *const ()) {
    // SAFETY: L9: it is a waker's.
    unsafe { wake_by_ref(pointer) };
    // SAFETY: L4: the same, and it goes.
    unsafe { drop_waker(pointer) };
}

unsafe fn wake_by_ref(pointer: *const ()) {
    // SAFETY: L9: it is a waker's.
    let task = unsafe { task_of(pointer) };
    // SAFETY: L4: the waker keeps it there.
    let header = unsafe { task.header() };
    if header.state.schedule() {
        // SAFETY: L1: the entry is ours.
        unsafe { header.shared.enqueue(task, Turn::Last) };
    }
}

unsafe fn drop_waker(pointer: *const ()) {
    // SAFETY: L9: it is a waker's.
    let task = unsafe { task_of(pointer) };
    // SAFETY: L4: the count is the waker's.
    unsafe { task.release() };
}

/// Wakes whoever awaits the handle.
///
/// # Safety
///
/// L5: the caller completed the task, and `WAKER` was set.
pub(super) unsafe fn wake_handle(header: &Header) {
    header.waker.with(|waker| {
        // SAFETY: L5, by contract.
        if let Some(waker) = unsafe { &*waker } {
            ignore_panic(|| waker.wake_by_ref());
        }
    });
}

/// A count of a task, and the right to its result.
pub(in super::super) struct Handle<T> {
    task: Task,
    /// A result is taken, or dropped, where the handle is.
    result: PhantomData<T>,
}

// SAFETY: L2, L4: the task's memory may be used from any thread, and of the rest a handle touches
// the result alone.
unsafe impl<T: Send> Send for Handle<T> {}

// SAFETY: L2: shared, it can be asked and aborted alone, which any thread may.
unsafe impl<T> Sync for Handle<T> {}

impl<T> Unpin for Handle<T> {}

impl<T> Handle<T> {
    /// # Safety
    ///
    /// The task's result is of this type, it was made with a handle, and this is the only one.
    pub(super) unsafe fn of(task: Task) -> Self {
        Self { task, result: PhantomData }
    }

    fn header(&self) -> &Header {
        // SAFETY: L4: the handle has a count.
        unsafe { self.task.header() }
    }

    pub(in super::super) fn is_finished(&self) -> bool {
        self.header().state.is_completed()
    }

    pub(in super::super) fn abort(&self) {
        if self.header().state.abort() {
            // SAFETY: L1: the entry is ours.
            unsafe { self.header().shared.enqueue(self.task, Turn::Now) };
        }
    }

    /// The result, once. After that nothing, for ever.
    pub(in super::super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Outcome<T>>> {
        if !self.header().state.is_completed() && self.leave_waker(cx.waker()) {
            return Poll::Pending;
        }
        let mut outcome: Option<Outcome<T>> = None;
        // SAFETY: L2: the task has completed, and this is its handle; the type is that of the
        // result.
        unsafe { (self.header().vtable.take)(self.task.0, (&raw mut outcome).cast()) };
        Poll::Ready(outcome)
    }

    /// False if the task has completed meanwhile.
    fn leave_waker(&mut self, waker: &Waker) -> bool {
        let header = self.header();
        if header.state.shows_waker() {
            let is_same = header.waker.with(|shown| {
                // SAFETY: L5: while it is shown nobody writes it, and only we change that.
                unsafe { &*shown }.as_ref().is_some_and(|shown| shown.will_wake(waker))
            });
            if is_same {
                return !header.state.is_completed();
            }
            if !header.state.hide_waker() {
                return false;
            }
        }
        let waker = waker.clone();
        let before = header.waker.with_mut(|cell| {
            // SAFETY: L5: `WAKER` is 0.
            unsafe { cell.replace(Some(waker)) }
        });
        drop_ignoring_panic(before);
        header.state.show_waker()
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        let header = self.header();
        // A waker that stayed would keep its task there for as long as this one, and two of them
        // each other.
        if header.state.shows_waker() && header.state.hide_waker() {
            drop_ignoring_panic(header.waker.with_mut(|cell| {
                // SAFETY: L5: `WAKER` is 0, and the task had not completed.
                unsafe { (*cell).take() }
            }));
        }
        if header.state.leave() {
            // SAFETY: L2: the result was the handle's.
            unsafe { (header.vtable.drop_result)(self.task.0) };
        }
        // SAFETY: L4: the count is the handle's.
        unsafe { self.task.release() };
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
