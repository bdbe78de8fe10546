//! The awaiting end.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::sync::Arc;

use super::Outcome;
use super::slot::Slot;

/// Resolves to what the closure came to.
pub(crate) struct Call<R> {
    slot: Arc<Slot<R>>,
    interest: Interest,
}

/// What dropping the call means (rule B4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interest {
    /// Never polled: the work goes on without it.
    Detached,
    /// Polled: whoever waited has given up.
    Waiting,
    /// The outcome was taken.
    Satisfied,
}

impl<R> Call<R> {
    pub(super) fn new(slot: Arc<Slot<R>>) -> Self {
        Self { slot, interest: Interest::Detached }
    }

    /// Gives up if somebody waited, and tells whether that left anything unfinished.
    pub(crate) fn abandon(&mut self) -> bool {
        if self.interest == Interest::Detached {
            self.slot.detach();
        }
        if self.interest != Interest::Waiting {
            return false;
        }
        self.interest = Interest::Satisfied;
        drop(self.slot.waker.take());
        self.slot.state.cancel()
    }

    /// Stops caring: dropping the call will leave the work alone.
    pub(crate) fn detach(&mut self) {
        self.interest = Interest::Detached;
        drop(self.slot.waker.take());
    }

    fn take_outcome(&mut self) -> Option<Outcome<R>> {
        if !self.slot.state.is_done() {
            return None;
        }
        self.interest = Interest::Satisfied;
        let outcome = self.slot.take();
        assert!(outcome.is_some(), "a compute call was polled after it had completed");
        outcome
    }
}

impl<R> Future for Call<R> {
    type Output = Outcome<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.take_outcome() {
            return Poll::Ready(outcome);
        }
        self.interest = Interest::Waiting;
        self.slot.register(cx.waker());
        // Once more: it may have completed before the waker was there (rule B3).
        match self.take_outcome() {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        self.abandon();
    }
}
