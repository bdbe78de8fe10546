//! The awaiting end of a call.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use super::complete::{free, leave};
use super::outcome::Outcome;
use super::slot::{Header, put_waker, state, take_waker};
use super::state::{Cell, GiveUp, State};
use crate::panics::drop_ignoring_panic;

/// A future of the closure's outcome.
pub(crate) struct Call<R> {
    /// `None` once the outcome was taken.
    slot: Option<NonNull<Header>>,
    interest: Interest,
    /// The call moves an `R` out of the slot.
    result: PhantomData<R>,
}

// SAFETY: B1: the call touches only the parts of the slot that the state says are its own. It moves
// an outcome of `R` out, or drops a closure that is `Send`.
unsafe impl<R: Send> Send for Call<R> {}

// SAFETY: B1: a shared reference permits only loads of the atomic state.
unsafe impl<R: Send> Sync for Call<R> {}

/// The outcome is never pinned in the slot, only moved out of it.
impl<R> Unpin for Call<R> {}

/// What dropping the call means (rule B4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interest {
    /// Never polled: dropping the call detaches it.
    Detached,
    /// A task awaits it, and no waker was shown yet: dropping the call gives it up.
    Awaited,
    /// Polled, with a waker shown in this cell: dropping the call gives it up.
    Waiting(Cell),
}

impl<R> Call<R> {
    /// # Safety
    ///
    /// B1: the slot is new, its closure returns `R`, and it gets no other call.
    pub(super) unsafe fn of(slot: NonNull<Header>) -> Self {
        Self { slot: Some(slot), interest: Interest::Detached, result: PhantomData }
    }

    /// Whether the outcome can be taken without waiting.
    pub(crate) fn is_done(&self) -> bool {
        self.state().is_none_or(State::is_done)
    }

    /// Whether a thread has started the job; a hint that may be out of date.
    pub(crate) fn has_started(&self) -> bool {
        self.state().is_none_or(State::has_started)
    }

    /// Notes that a task awaits the call, though it has not shown a waker yet: from now on dropping
    /// the call gives it up (B4).
    pub(crate) fn mark_awaited(&mut self) {
        if self.interest == Interest::Detached {
            self.interest = Interest::Awaited;
        }
    }

    /// Drops the call without cancelling it: the closure runs to its end.
    pub(crate) fn detach(mut self) {
        self.release(false);
    }

    fn state(&self) -> Option<&State> {
        // SAFETY: B1, the slot is alive until the call has taken the outcome or left.
        self.slot.map(|slot| unsafe { state(slot) })
    }

    /// Moves the outcome out; does not free the slot.
    ///
    /// # Safety
    ///
    /// B1: the slot holds the outcome, and the call owns it.
    unsafe fn take_outcome(slot: NonNull<Header>) -> Outcome<R> {
        let mut outcome = MaybeUninit::<Outcome<R>>::uninit();
        // SAFETY: B1, by contract the slot holds an outcome, so it has not been freed.
        let vtable = unsafe { slot.as_ref() }.vtable;
        // SAFETY: B1, by contract the call owns the outcome; `outcome` has room for it.
        unsafe { (vtable.take_outcome)(slot, outcome.as_mut_ptr().cast()) };
        // SAFETY: B1, `take_outcome` has just written it.
        unsafe { outcome.assume_init() }
    }

    /// Takes the outcome of a call that is done.
    fn finish(&mut self) -> Outcome<R> {
        let Some(slot) = self.slot.take() else {
            panic!("a compute call was polled after it had completed")
        };
        // SAFETY: B1, done: the call owns outcome and slot.
        let outcome = unsafe { Self::take_outcome(slot) };
        // SAFETY: B1, the slot is empty, and the job has left it.
        unsafe { free(slot) };
        outcome
    }

    /// Shows the waker to the job. False if the job is done (B3).
    fn show(&mut self, waker: &Waker) -> bool {
        let Some(slot) = self.slot else { return false };
        // SAFETY: B1, the slot is alive until the call has taken the outcome or left.
        let state = unsafe { state(slot) };
        // A waker is foreign code, which may panic. So it is cloned before the state is changed,
        // and the old one is dropped after all changes are made.
        let waker = waker.clone();
        let (cell, old) = match self.interest {
            Interest::Detached | Interest::Awaited => (Cell::A, None),
            Interest::Waiting(cell) if state.hide_waker(cell) => {
                // SAFETY: B3, the flag was set, and the call cleared it.
                (cell, Some(unsafe { take_waker(slot, cell) }))
            }
            // The job has cleared the flag, and may still read that cell.
            Interest::Waiting(cell) => (cell.other(), None),
        };
        // SAFETY: B3, the job does not use this cell. Its flag is clear: it was never set, or the
        // call cleared it, or the job had finished with this cell before it took the other.
        unsafe { put_waker(slot, cell, waker) };
        let is_shown = state.show_waker(cell);
        let unseen = (!is_shown).then(|| {
            // SAFETY: B3, done: the job has left the slot, and did not take the waker.
            unsafe { take_waker(slot, cell) }
        });
        self.interest = Interest::Waiting(cell);
        // One panic must not meet another.
        drop_ignoring_panic(old);
        drop_ignoring_panic(unseen);
        is_shown
    }

    /// Ends the call before its outcome was taken: gives it up if it was polled, and detaches it
    /// otherwise (B4).
    fn release(&mut self, polled: bool) {
        let Some(slot) = self.slot.take() else { return };
        // SAFETY: B1, the slot is alive until the call has left.
        let state = unsafe { state(slot) };
        if let Interest::Waiting(cell) = self.interest
            && state.hide_waker(cell)
        {
            // SAFETY: B3, the flag was set, and the call cleared it.
            drop_ignoring_panic(unsafe { take_waker(slot, cell) });
        }
        match state.give_up(polled) {
            GiveUp::Orphaned => {}
            GiveUp::Cancelled => {
                // SAFETY: B1, neither the job nor the call has left the slot.
                let vtable = unsafe { slot.as_ref() }.vtable;
                // SAFETY: B2, the closure never started, so the call owns it.
                unsafe { (vtable.cancel)(slot) };
                // SAFETY: B1, the call has dropped what it owned.
                unsafe { leave(slot) };
            }
            GiveUp::Settled => {
                // SAFETY: B1, settled: the call owns the outcome.
                drop_ignoring_panic(unsafe { Self::take_outcome(slot) });
                // SAFETY: B1, the call has dropped what it owned.
                unsafe { leave(slot) };
            }
            GiveUp::Done => {
                // SAFETY: B1, done: the call owns outcome and slot.
                drop_ignoring_panic(unsafe { Self::take_outcome(slot) });
                // SAFETY: B1, the slot is empty, and the job has left it.
                unsafe { free(slot) };
            }
        }
    }
}

impl<R> Future for Call<R> {
    type Output = Outcome<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_done() || !self.show(cx.waker()) {
            return Poll::Ready(self.finish());
        }
        Poll::Pending
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        self.release(self.interest != Interest::Detached);
    }
}
