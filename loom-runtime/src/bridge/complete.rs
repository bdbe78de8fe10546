//! The working end of a call.

use std::cell::Cell;
use std::mem;
use std::ptr::NonNull;
use std::task::Waker;

use super::outcome::{End, Observer};
use super::slot::{Header, Observed, state, take_waker};
use super::state::{Publish, Settle, Start};
use crate::panics::{KeptWaker, drop_ignoring_panic, ignore_panic, user_code};

/// The working end before its start: it waits in the queue.
pub(crate) struct Job(NonNull<Header>);

// SAFETY: B1: `pair` requires that closure, result and observer are `Send`, and on any thread the
// job touches only the parts of the slot that the state says are its own.
unsafe impl Send for Job {}

/// The working end once it has started. It runs the closure; dropping it instead refuses the call.
pub(crate) struct Started(NonNull<Header>);

// SAFETY: B1, as for `Job`.
unsafe impl Send for Started {}

/// What a thread does when it hands an outcome over.
pub(super) trait HandOver {
    /// Called before a waker is woken, with that waker; again if there is another waker by now. For an
    /// outcome also before the caller can see it, after which the call may be dropped at any time.
    fn before(&mut self, _waker: Option<&Waker>) {}

    /// Called before a result or a waker is dropped, which may take any time.
    fn before_drop(&mut self) {}

    /// Called when the caller can see the outcome.
    fn wake(&mut self, waker: Waker) {
        KeptWaker::from(waker).wake();
    }
}

/// Wakes at once.
struct AtOnce;

impl HandOver for AtOnce {}

/// What `work` does with the closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Run,
    Refuse,
}

impl Job {
    /// # Safety
    ///
    /// B1, Q1: the caller owns the job: the slot is new, or the header comes from
    /// [`into_header`](Self::into_header), and is passed here once.
    pub(super) unsafe fn of(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// For the queue, which links jobs through their headers (Q1).
    pub(super) fn into_header(self) -> NonNull<Header> {
        mem::ManuallyDrop::new(self).0
    }

    /// Starts the job, unless the caller has given up (B2).
    pub(crate) fn start(self) -> Option<Started> {
        let header = self.into_header();
        // SAFETY: B1, the job has not left the slot.
        match unsafe { state(header) }.start() {
            Start::Run => Some(Started(header)),
            Start::Cancelled => {
                // SAFETY: B1, the job owns no part of a cancelled slot.
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
    /// How many microseconds it is expected to run; `None` if that is unknown, or long.
    pub(super) fn micros(&self) -> Option<u32> {
        // SAFETY: B1, the job has not left the slot.
        unsafe { state(self.0) }.micros()
    }

    /// Higher numbers go first.
    pub(super) fn priority(&self) -> usize {
        // SAFETY: B1, as above.
        unsafe { state(self.0) }.priority()
    }

    /// Runs the closure, unless the observer says that it must not start. Never panics.
    pub(crate) fn work(self) -> Worked {
        self.end(Way::Run)
    }

    /// Runs the closure and publishes the outcome.
    #[cfg(any(test, feature = "plugin"))]
    pub(crate) fn run(self) {
        self.work().finish();
    }

    fn end(self, way: Way) -> Worked {
        let header = mem::ManuallyDrop::new(self).0;
        // SAFETY: B1, the slot is alive as long as the job has not left it.
        let vtable = unsafe { header.as_ref() }.vtable;
        // SAFETY: B2, the job has started, and works once, since this consumes it.
        unsafe { (vtable.work)(header, way) };
        Worked(header)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        Self(self.0).end(Way::Refuse).finish();
    }
}

/// The working end once the closure has run. Dropping it publishes the outcome, as
/// [`finish`](Self::finish) does.
#[must_use]
pub(crate) struct Worked(NonNull<Header>);

// SAFETY: B1, as for `Job`.
unsafe impl Send for Worked {}

impl Worked {
    /// Ends the observer, publishes the outcome and wakes the waiting task. Never panics.
    pub(crate) fn finish(self) {
        drop(self);
    }

    /// As [`finish`](Self::finish), with steps of the caller.
    pub(super) fn finish_with(self, steps: &mut dyn HandOver) {
        let header = mem::ManuallyDrop::new(self).0;
        // SAFETY: B1, nothing else finishes this job.
        unsafe { Self::hand_over(header, steps) };
    }

    /// # Safety
    ///
    /// B1: the job has worked, and is finished only here.
    unsafe fn hand_over(header: NonNull<Header>, steps: &mut dyn HandOver) {
        // SAFETY: B1, the slot is alive as long as the job has not left it.
        let vtable = unsafe { header.as_ref() }.vtable;
        // SAFETY: B1, by contract.
        unsafe { (vtable.finish)(header, steps) };
    }
}

impl Drop for Worked {
    fn drop(&mut self) {
        // SAFETY: B1, nothing else finishes this job.
        unsafe { Self::hand_over(self.0, &mut AtOnce) };
    }
}

/// Turns the closure of a job into an outcome.
///
/// # Safety
///
/// B2: the header is the one of a slot with this observer, whose job has started and has not worked
/// yet.
pub(super) unsafe fn work<T: Observer>(header: NonNull<Header>, way: Way) {
    user_code::runs_here();
    let mut may_start = false;
    // SAFETY: B2, the job has started, so it owns closure and observer.
    ignore_panic(|| may_start = unsafe { Observed::<T>::may_start(header) });
    // SAFETY: B1, the job has not left the slot.
    let vtable = unsafe { header.as_ref() }.vtable;
    if way == Way::Run && may_start {
        let _current = Current::enter(Some(header));
        // SAFETY: B2, as above.
        unsafe { (vtable.run)(header) };
    } else {
        // SAFETY: B2, as above.
        unsafe { (vtable.refuse)(header) };
    }
}

/// Hands the outcome over to the call, or drops it if the call was dropped.
///
/// # Safety
///
/// B1: the header is the one of a slot with this observer, whose job has worked and was not finished
/// yet.
pub(super) unsafe fn finish<T: Observer>(header: NonNull<Header>, steps: &mut dyn HandOver) {
    user_code::runs_here();
    // SAFETY: B1, the job has not left the slot.
    let vtable = unsafe { header.as_ref() }.vtable;
    // SAFETY: B1, the job owns the outcome.
    let end = unsafe { (vtable.end)(header) };
    // SAFETY: B1, the job owns the observer.
    let observer = unsafe { Observed::<T>::take_observer(header) };
    // SAFETY: B1, the job has not left the slot.
    let waker = match unsafe { state(header) }.settle() {
        Settle::Orphaned { unwanted } => {
            steps.before_drop();
            // SAFETY: B1, the call was dropped, so the job owns the outcome.
            unsafe { (vtable.drop_outcome)(header) };
            ignore_panic(|| drop(observer.end(end, unwanted)));
            // SAFETY: B1, the call was dropped, and the slot is empty.
            return unsafe { free(header) };
        }
        Settle::Settled(cell) => cell.map(|cell| {
            // SAFETY: B3, the job cleared the flag, so it owns the cell.
            unsafe { take_waker(header, cell) }
        }),
    };
    let mut after = None;
    ignore_panic(|| after = Some(observer.end(end, false)));
    // SAFETY: B1, the job has settled, and has not left the slot.
    unsafe { publish(header, waker, steps) };
    drop_ignoring_panic(after);
}

/// Drops the closure of a call that was dropped before its job started, and ends the observer.
///
/// # Safety
///
/// B2: the header is the one of a slot with this observer, which the call has just cancelled.
pub(super) unsafe fn cancel<T: Observer>(header: NonNull<Header>) {
    // SAFETY: B2, the job never started, so the call owns the observer.
    let observer = unsafe { Observed::<T>::take_observer(header) };
    ignore_panic(|| observer.withdraw());
    // SAFETY: B1, neither the job nor the call has left the slot.
    let vtable = unsafe { header.as_ref() }.vtable;
    // SAFETY: B2, as above: the call owns the closure.
    unsafe { (vtable.drop_closure)(header) };
    ignore_panic(|| drop(observer.end(End::Cancelled, true)));
}

/// Publishes the outcome, leaves the slot, and wakes the waiting task.
///
/// # Safety
///
/// B1: the job has settled, and has not left the slot.
unsafe fn publish(header: NonNull<Header>, mut waker: Option<Waker>, steps: &mut dyn HandOver) {
    loop {
        steps.before(waker.as_ref());
        // SAFETY: B1, the job has not left the slot.
        match unsafe { state(header) }.publish() {
            Publish::Done => {
                if let Some(waker) = waker {
                    steps.wake(waker);
                }
                return;
            }
            Publish::WithWaker(cell) => {
                // SAFETY: B3, the job cleared the flag, so it owns the cell.
                let shown = unsafe { take_waker(header, cell) };
                let unseen = waker.replace(shown);
                if unseen.is_some() {
                    steps.before_drop();
                }
                drop_ignoring_panic(unseen);
            }
            Publish::Orphaned => {
                steps.before_drop();
                drop_ignoring_panic(waker);
                // SAFETY: B1, the job owns no part of the slot any more.
                return unsafe { leave(header) };
            }
        }
    }
}

/// Leaves a slot that the other end has to leave, too.
///
/// # Safety
///
/// B1: this end has not left before, and owns nothing in the slot any more.
pub(super) unsafe fn leave(header: NonNull<Header>) {
    // SAFETY: B1, by contract this end has not left before.
    if unsafe { state(header) }.leave() {
        // SAFETY: B1, the other end has left, and each has dropped what it owned.
        unsafe { free(header) };
    }
}

/// # Safety
///
/// B1: the caller is the last owner of the slot, which is empty.
pub(super) unsafe fn free(header: NonNull<Header>) {
    // SAFETY: B1, by contract.
    let vtable = unsafe { header.as_ref() }.vtable;
    // SAFETY: B1, as above.
    unsafe { (vtable.free)(header) };
}

thread_local! {
    /// The call that runs on this thread (B8).
    static CURRENT: Cell<Option<NonNull<Header>>> = const { Cell::new(None) };
}

/// A guard that sets the call that runs on this thread, and restores the one before.
pub(super) struct Current {
    before: Option<NonNull<Header>>,
}

impl Current {
    pub(super) fn enter(header: Option<NonNull<Header>>) -> Self {
        Self { before: CURRENT.replace(header) }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// Whether the result of the call that runs on this thread is no longer wanted: its future was
/// dropped, or its observer would not let it start any more. `None` if no call runs here.
pub(crate) fn current_is_unwanted() -> Option<bool> {
    let header = CURRENT.get()?;
    // SAFETY: B8, the thread-local is reset before the job settles.
    let is_unwanted = unsafe { state(header) }.is_unwanted();
    // SAFETY: B8, as above.
    let vtable = unsafe { header.as_ref() }.vtable;
    // SAFETY: B8, so the observer is still in the slot.
    Some(is_unwanted || !unsafe { (vtable.may_start)(header) })
}
