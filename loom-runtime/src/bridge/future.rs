//! The awaiting end.

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

/// Resolves to what the closure came to.
pub(crate) struct Call<R> {
    /// Nothing once the outcome was taken.
    slot: Option<NonNull<Header>>,
    interest: Interest,
    /// It gives an `R` out of the slot.
    result: PhantomData<R>,
}

// SAFETY: B1: the call touches of the slot only what the state says is its own; what it moves
// out of it is an outcome of `R`, or drops a closure that may be sent.
unsafe impl<R: Send> Send for Call<R> {}

// SAFETY: B1: through a shared reference nothing can be done but to ask whether it has started.
unsafe impl<R: Send> Sync for Call<R> {}

/// An outcome is only ever moved out.
impl<R> Unpin for Call<R> {}

/// What dropping the call means (rule B4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interest {
    /// Never polled: the work goes on without it.
    Detached,
    /// Polled, though not so far that a waker was shown.
    Asked,
    /// Polled, with a waker shown in this cell: dropping the call gives it up.
    Waiting(Cell),
}

impl<R> Call<R> {
    /// # Safety
    ///
    /// B1: the slot was just made for a closure that returns `R`, and there is one call for
    /// it.
    pub(super) unsafe fn of(slot: NonNull<Header>) -> Self {
        Self { slot: Some(slot), interest: Interest::Detached, result: PhantomData }
    }

    /// Whether the outcome can be had without waiting.
    pub(crate) fn is_done(&self) -> bool {
        self.state().is_none_or(State::is_done)
    }

    /// Whether a thread has begun with it; a hint that may be out of date.
    pub(crate) fn has_started(&self) -> bool {
        self.state().is_none_or(State::has_started)
    }

    /// A task waits for it and has yet to show a waker: dropping the call gives it up (B4).
    pub(crate) fn mark_awaited(&mut self) {
        if self.interest == Interest::Detached {
            self.interest = Interest::Asked;
        }
    }

    /// Stops caring: the work goes on without an audience.
    pub(crate) fn detach(mut self) {
        self.go(false);
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
        // SAFETY: B1, the slot is still there, as its outcome is.
        let vtable = unsafe { slot.as_ref() }.vtable;
        // SAFETY: B1, by contract it exists, and there is room for it.
        unsafe { (vtable.take_outcome)(slot, outcome.as_mut_ptr().cast()) };
        // SAFETY: B1, it was just put there.
        unsafe { outcome.assume_init() }
    }

    /// Takes the outcome of a call that is done.
    fn finish(&mut self) -> Outcome<R> {
        let Some(slot) = self.slot.take() else {
            panic!("a compute call was polled after it had completed")
        };
        // SAFETY: B1, done: outcome and slot are the call's.
        let outcome = unsafe { Self::take_outcome(slot) };
        // SAFETY: B1, nothing is left in it, and this end alone has it.
        unsafe { free(slot) };
        outcome
    }

    /// Shows the waker to the job; false once the job is done (B3).
    fn show(&mut self, waker: &Waker) -> bool {
        let Some(slot) = self.slot else { return false };
        // SAFETY: B1, the slot is alive until the call has taken the outcome or left.
        let state = unsafe { state(slot) };
        // A waker is foreign code, which may panic: it is cloned before anything is changed,
        // and dropped when all is as it should be.
        let waker = waker.clone();
        let (cell, old) = match self.interest {
            Interest::Detached | Interest::Asked => (Cell::A, None),
            Interest::Waiting(cell) if state.hide_waker(cell) => {
                // SAFETY: B3, the flag was set, and cleared by the call.
                (cell, Some(unsafe { take_waker(slot, cell) }))
            }
            // The job has taken it, and may still be at that cell.
            Interest::Waiting(cell) => (cell.other(), None),
        };
        // SAFETY: B3, the job is not at this cell: its flag is clear, and was cleared by the
        // call, or never set, or the job was done with it before it took the other.
        unsafe { put_waker(slot, cell, waker) };
        let is_shown = state.show_waker(cell);
        let unseen = (!is_shown).then(|| {
            // SAFETY: B3, done: the job has left the slot, and did not take the waker.
            unsafe { take_waker(slot, cell) }
        });
        self.interest = Interest::Waiting(cell);
        drop((old, unseen));
        is_shown
    }

    /// Lets go of the slot, as one that waited or as one that never did (B4).
    fn go(&mut self, waited: bool) {
        let Some(slot) = self.slot.take() else { return };
        // SAFETY: B1, the slot is alive until the call has left.
        let state = unsafe { state(slot) };
        if let Interest::Waiting(cell) = self.interest
            && state.hide_waker(cell)
        {
            // SAFETY: B3, the flag was set, and cleared by the call.
            drop_ignoring_panic(unsafe { take_waker(slot, cell) });
        }
        match state.give_up(waited) {
            GiveUp::Orphaned => {}
            GiveUp::Cancelled => {
                // SAFETY: B1, the job has yet to leave, and so has the call.
                let vtable = unsafe { slot.as_ref() }.vtable;
                // SAFETY: B2, it never started, so the closure is the call's.
                unsafe { (vtable.drop_closure)(slot) };
                // SAFETY: B1, the call has dropped what was its own.
                unsafe { leave(slot) };
            }
            GiveUp::Settled => {
                // SAFETY: B1, settled: the outcome is the call's.
                drop_ignoring_panic(unsafe { Self::take_outcome(slot) });
                // SAFETY: B1, the call has dropped what was its own.
                unsafe { leave(slot) };
            }
            GiveUp::Done => {
                // SAFETY: B1, done: outcome and slot are the call's.
                drop_ignoring_panic(unsafe { Self::take_outcome(slot) });
                // SAFETY: B1, nothing is left in it, and this end alone has it.
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
        self.go(self.interest != Interest::Detached);
    }
}
