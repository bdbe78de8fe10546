//! The working end.

use std::cell::Cell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::Waker;

use super::outcome::{Fault, Observer, Outcome};
use super::slot::{Header, Slot, state, take_waker};
use super::state::{Publish, Settle, Start};
use crate::panics::{drop_ignoring_panic, ignore_panic};

/// The working end before it has started: it waits in the queue.
pub(crate) struct Job(NonNull<Header>);

// SAFETY: B1: it is made of a closure, a result and an observer that may be sent, and touches of
// the slot only what the state says is the job's, wherever it is.
unsafe impl Send for Job {}

/// The working end from its start on. Runs the closure; refuses the call when it is dropped
/// instead.
pub(crate) struct Started(NonNull<Header>);

// SAFETY: B1, as the job.
unsafe impl Send for Started {}

/// What to do with a closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Run,
    Refuse,
}

impl Job {
    /// # Safety
    ///
    /// B1, Q1: the job is the caller's: the slot was just made, or comes from
    /// [`into_header`](Self::into_header), once.
    pub(super) unsafe fn of(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// For the queue, which links jobs through their headers (Q1).
    pub(super) fn into_header(self) -> NonNull<Header> {
        mem::ManuallyDrop::new(self).0
    }

    /// Takes the closure, unless the caller has given up (B2).
    pub(crate) fn start(self) -> Option<Started> {
        let header = self.into_header();
        // SAFETY: B1, the job has not left the slot.
        match unsafe { state(header) }.start() {
            Start::Run => Some(Started(header)),
            Start::Cancelled => {
                // SAFETY: B1, the job has nothing of its own in the slot.
                unsafe { leave(header) };
                None
            }
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        drop(Self(self.0).start());
    }
}

impl Started {
    /// Runs the closure, unless the observer says that it must not start. Never panics.
    pub(crate) fn work(self) -> Worked {
        self.end(Way::Run)
    }

    /// Runs the closure and publishes what it came to.
    pub(crate) fn run(self) {
        self.work().finish();
    }

    fn end(self, way: Way) -> Worked {
        let header = mem::ManuallyDrop::new(self).0;
        // SAFETY: B1, the slot is alive as long as the job has not left it.
        let vtable = unsafe { header.as_ref() }.vtable;
        // SAFETY: B2, it has started, and works once, since that consumes it.
        unsafe { (vtable.work)(header, way) };
        Worked(header)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        Self(self.0).end(Way::Refuse).finish();
    }
}

/// The working end with its work behind it. Publishes the outcome when it is dropped, too.
#[must_use]
pub(crate) struct Worked(NonNull<Header>);

// SAFETY: B1, as the job.
unsafe impl Send for Worked {}

impl Worked {
    /// Ends the observer, publishes the outcome and wakes the waiting task. Never panics.
    pub(crate) fn finish(self) {
        drop(self);
    }

    /// [`finish`](Self::finish) that calls `before` before the caller can see the outcome. `before`
    /// is not called where the call was dropped: then the outcome is dropped here, which may take
    /// any time.
    pub(super) fn finish_after(self, mut before: impl FnMut()) {
        let header = mem::ManuallyDrop::new(self).0;
        // SAFETY: B1, it is not finished otherwise.
        unsafe { Self::hand_over(header, &mut before) };
    }

    /// # Safety
    ///
    /// B1: the job has worked, and finishes once.
    unsafe fn hand_over(header: NonNull<Header>, before: &mut dyn FnMut()) {
        // SAFETY: B1, the slot is alive as long as the job has not left it.
        let vtable = unsafe { header.as_ref() }.vtable;
        // SAFETY: B1, as by contract.
        unsafe { (vtable.finish)(header, before) };
    }
}

impl Drop for Worked {
    fn drop(&mut self) {
        // SAFETY: B1, it is not finished otherwise.
        unsafe { Self::hand_over(self.0, &mut || ()) };
    }
}

/// Turns the closure of a job into an outcome.
///
/// # Safety
///
/// B2: the header is that of a slot of these types, whose job has started, and has not worked
/// before.
pub(super) unsafe fn work<F, R, T>(header: NonNull<Header>, way: Way)
where
    F: FnOnce() -> R,
    T: Observer,
{
    // SAFETY: B2, the job has started, so the closure is its own.
    let closure = unsafe { Slot::<F, R, T>::take_closure(header) };
    let mut may_start = false;
    // SAFETY: B2, and so is the observer, which stays where it is.
    ignore_panic(|| may_start = unsafe { Slot::<F, R, T>::may_start(header) });
    let outcome = if way == Way::Run && may_start {
        let _current = Current::enter(Some(header));
        catch_unwind(AssertUnwindSafe(closure)).map_err(Fault::Panicked)
    } else {
        drop_ignoring_panic(closure);
        Err(Fault::Refused)
    };
    // SAFETY: B1, the job runs, so the room of the outcome is its own, and empty.
    unsafe { Slot::<F, R, T>::put_outcome(header, outcome) };
}

/// Hands the outcome over.
///
/// # Safety
///
/// B1: the header is that of a slot of these types, whose job has worked, and was not finished
/// before.
pub(super) unsafe fn finish<F, R, T>(header: NonNull<Header>, before: &mut dyn FnMut())
where
    F: FnOnce() -> R,
    T: Observer,
{
    // SAFETY: B1, outcome and observer are the job's.
    let (end, observer) = unsafe { Slot::<F, R, T>::take_observer(header) };
    // SAFETY: B1, the job has not left the slot.
    let waker = match unsafe { state(header) }.settle() {
        Settle::Orphaned { unwanted } => {
            // SAFETY: B1, the call has left, so the job owns the outcome.
            unsafe { drop_outcome::<F, R, T>(header) };
            ignore_panic(|| drop(observer.end(end, unwanted)));
            // SAFETY: B1, the call has left, and the slot is empty.
            return unsafe { free(header) };
        }
        Settle::Settled(cell) => cell.map(|cell| {
            // SAFETY: B3, the flag was cleared by the job, so the cell is its own.
            unsafe { take_waker(header, cell) }
        }),
    };
    before();
    let mut after = None;
    ignore_panic(|| after = Some(observer.end(end, false)));
    // SAFETY: B1, as before.
    unsafe { publish(header, waker) };
    drop_ignoring_panic(after);
}

/// Leaves the slot, and wakes the waiting task.
///
/// # Safety
///
/// B1: the job has settled, and has not left the slot.
unsafe fn publish(header: NonNull<Header>, mut waker: Option<Waker>) {
    loop {
        // SAFETY: B1, the job has not left the slot.
        match unsafe { state(header) }.publish() {
            Publish::Done => {
                if let Some(waker) = waker {
                    ignore_panic(|| waker.wake());
                }
                return;
            }
            Publish::WithWaker(cell) => {
                // SAFETY: B3, the flag was cleared by the job, so the cell is its own.
                let shown = unsafe { take_waker(header, cell) };
                drop_ignoring_panic(waker.replace(shown));
            }
            Publish::Orphaned => {
                drop_ignoring_panic(waker);
                // SAFETY: B1, the job has nothing of its own left in the slot.
                return unsafe { leave(header) };
            }
        }
    }
}

/// # Safety
///
/// B1: of these types, and the outcome is the caller's.
unsafe fn drop_outcome<F, R, T>(header: NonNull<Header>)
where
    F: FnOnce() -> R,
    T: Observer,
{
    let mut outcome = mem::MaybeUninit::<Outcome<R>>::uninit();
    // SAFETY: B1, by contract this function owns the outcome; `outcome` has room for it.
    unsafe { Slot::<F, R, T>::take_outcome(header, outcome.as_mut_ptr().cast()) };
    drop_ignoring_panic({
        // SAFETY: B1, it was just put there.
        unsafe { outcome.assume_init() }
    });
}

/// Leaves a slot that the other end has to leave as well.
///
/// # Safety
///
/// B1: this end has not left before, and nothing of its own is left in the slot.
pub(super) unsafe fn leave(header: NonNull<Header>) {
    // SAFETY: B1, this end has not left before.
    if unsafe { state(header) }.leave() {
        // SAFETY: B1, the other end has left, and each has dropped what was its own.
        unsafe { free(header) };
    }
}

/// # Safety
///
/// B1: the caller is the last owner of the slot, with nothing left in it.
pub(super) unsafe fn free(header: NonNull<Header>) {
    // SAFETY: B1, by contract.
    let vtable = unsafe { header.as_ref() }.vtable;
    // SAFETY: B1, as before.
    unsafe { (vtable.free)(header) };
}

thread_local! {
    /// The call that runs on this thread (B8).
    static CURRENT: Cell<Option<NonNull<Header>>> = const { Cell::new(None) };
}

/// A call while it runs on this thread, or none while something else does.
struct Current(Option<NonNull<Header>>);

impl Current {
    fn enter(header: Option<NonNull<Header>>) -> Self {
        Self(CURRENT.replace(header))
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Whether the call that runs on this thread is no longer wanted: its future was dropped, or its
/// observer would not let it start any more. `None` where no call runs.
pub(crate) fn current_is_unwanted() -> Option<bool> {
    let header = CURRENT.get()?;
    // SAFETY: B8, a call that is set here has not settled.
    let is_unwanted = unsafe { state(header) }.is_unwanted();
    // SAFETY: B8, as before.
    let vtable = unsafe { header.as_ref() }.vtable;
    // SAFETY: B8, so its observer is still there.
    Some(is_unwanted || !unsafe { (vtable.may_start)(header) })
}

/// Runs something that is not part of the call that runs on this thread.
pub(crate) fn without_current_call<R>(f: impl FnOnce() -> R) -> R {
    let _none = Current::enter(None);
    f()
}
