//! Wakers and handles: the references to a task that other code holds.
//!
//! The public handle is in `../join.rs`.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::header::{Header, Task};
use super::shared::Turn;
use super::stage::Outcome;
use crate::panics::{drop_ignoring_panic, ignore_panic};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// A waker of the task. It takes no count.
pub(super) fn raw_waker(task: Task) -> RawWaker {
    RawWaker::new(task.0.as_ptr().cast_const().cast(), &VTABLE)
}

/// The task of a waker.
///
/// # Safety
///
/// The pointer is from `raw_waker`.
unsafe fn task_of(pointer: *const ()) -> Task {
    // SAFETY: L9: by contract the pointer is not null.
    Task(unsafe { NonNull::new_unchecked(pointer.cast_mut().cast::<Header>()) })
}

unsafe fn clone(pointer: *const ()) -> RawWaker {
    // SAFETY: L9: the pointer is a waker's.
    let task = unsafe { task_of(pointer) };
    // SAFETY: L4: the waker keeps the task alive.
    unsafe { task.header() }.state.hold();
    raw_waker(task)
}

unsafe fn wake(pointer: *const ()) {
    // SAFETY: L9: the pointer is a waker's.
    unsafe { wake_by_ref(pointer) };
    // SAFETY: L4: the waker ends here, and its count with it.
    unsafe { drop_waker(pointer) };
}

unsafe fn wake_by_ref(pointer: *const ()) {
    // SAFETY: L9: the pointer is a waker's.
    let task = unsafe { task_of(pointer) };
    // SAFETY: L4: the waker keeps the task alive.
    let header = unsafe { task.header() };
    if header.state.schedule() {
        // SAFETY: L1: the entry is this thread's.
        unsafe { header.shared.enqueue(task, Turn::Last) };
    }
}

unsafe fn drop_waker(pointer: *const ()) {
    // SAFETY: L9: the pointer is a waker's.
    let task = unsafe { task_of(pointer) };
    // SAFETY: L4: the waker's count ends here.
    unsafe { task.release() };
}

/// Wakes the task that awaits the handle.
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

impl Task {
    /// Ends the task, from any thread.
    ///
    /// # Safety
    ///
    /// The caller has a count of the task.
    unsafe fn abort(self) {
        // SAFETY: L4: by contract.
        let header = unsafe { self.header() };
        if header.state.abort() {
            // SAFETY: L1: the entry is this thread's.
            unsafe { header.shared.enqueue(self, Turn::Now) };
        }
    }
}

/// A count of a task, without the right to its result. It may outlive the handle.
pub(in super::super) struct Reference(Task);

// SAFETY: L4: of the task it uses the state word and the queues, as any waker does.
unsafe impl Send for Reference {}

// SAFETY: L4: as for `Send`.
unsafe impl Sync for Reference {}

impl Reference {
    fn header(&self) -> &Header {
        // SAFETY: L4: the reference is a count.
        unsafe { self.0.header() }
    }

    pub(in super::super) fn is_finished(&self) -> bool {
        self.header().state.is_completed()
    }

    pub(in super::super) fn abort(&self) {
        // SAFETY: L4: the reference is a count.
        unsafe { self.0.abort() };
    }
}

impl Clone for Reference {
    fn clone(&self) -> Self {
        self.header().state.hold();
        Self(self.0)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: L4: the count ends here.
        unsafe { self.0.release() };
    }
}

/// A count of a task, with the right to take its result.
pub(in super::super) struct Handle<T> {
    task: Task,
    /// The result is taken or dropped on the handle's thread.
    result: PhantomData<T>,
}

// SAFETY: L2, L4: any thread may use the task's header, and of the stage a handle uses only the
// result.
unsafe impl<T: Send> Send for Handle<T> {}

// SAFETY: L2: a shared handle can only be queried and aborted, which any thread may do.
unsafe impl<T> Sync for Handle<T> {}

impl<T> Unpin for Handle<T> {}

impl<T> Handle<T> {
    /// # Safety
    ///
    /// The task has a result of type `T` and was made with a handle, and this is its only handle.
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
        // SAFETY: L4: the handle has a count.
        unsafe { self.task.abort() };
    }

    /// Another count of the task, without the result.
    pub(in super::super) fn reference(&self) -> Reference {
        self.header().state.hold();
        Reference(self.task)
    }

    /// Returns the result once, and `None` from then on.
    pub(in super::super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Outcome<T>>> {
        if !self.header().state.is_completed() && self.store_waker(cx.waker()) {
            return Poll::Pending;
        }
        let mut outcome: Option<Outcome<T>> = None;
        // SAFETY: L2: the task has completed, and this is its handle; `T` is the type of the
        // result.
        unsafe { (self.header().vtable.take)(self.task.0, (&raw mut outcome).cast()) };
        Poll::Ready(outcome)
    }

    /// Stores the waker in the cell. False if the task has completed meanwhile.
    fn store_waker(&mut self, waker: &Waker) -> bool {
        let header = self.header();
        if header.state.shows_waker() {
            let is_same = header.waker.with(|shown| {
                // SAFETY: L5: while `WAKER` is set no thread writes the cell, and only this handle
                // clears `WAKER`.
                unsafe { &*shown }.as_ref().is_some_and(|shown| shown.will_wake(waker))
            });
            if is_same {
                return !header.state.is_completed();
            }
        }
        // A waker is foreign code, which may panic. So it is cloned before the flag is cleared, and
        // the old one is dropped after all changes are made.
        let fresh = waker.clone();
        if header.state.shows_waker() && !header.state.hide_waker() {
            drop_ignoring_panic(fresh);
            return false;
        }
        let before = header.waker.with_mut(|cell| {
            // SAFETY: L5: `WAKER` is 0.
            unsafe { cell.replace(Some(fresh)) }
        });
        let is_shown = header.state.show_waker();
        drop_ignoring_panic(before);
        is_shown
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        let header = self.header();
        // A waker that stayed in the cell would keep its task alive as long as this task, and two
        // tasks that awaited one another would keep each other alive.
        if header.state.shows_waker() && header.state.hide_waker() {
            drop_ignoring_panic(header.waker.with_mut(|cell| {
                // SAFETY: L5: `WAKER` is 0, and the task had not completed when it was cleared.
                unsafe { (*cell).take() }
            }));
        }
        if header.state.leave() {
            // SAFETY: L2: the result belongs to the handle.
            unsafe { (header.vtable.drop_result)(self.task.0) };
        }
        // SAFETY: L4: the handle's count ends here.
        unsafe { self.task.release() };
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
