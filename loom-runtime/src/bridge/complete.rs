//! The working end.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sync::Arc;

use super::slot::Slot;
use super::state::{Complete, Start};
use super::{Fault, Outcome};

/// How a job ended, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It ran, and did not panic.
    Returned,
    /// It ran and panicked.
    Panicked,
    /// It never ran, since its caller had gone.
    Cancelled,
}

/// Runs the closure; refuses the call when it is dropped instead.
pub(crate) struct Job<F, R> {
    closure: Option<F>,
    slot: Arc<Slot<R>>,
}

impl<F, R> Job<F, R>
where
    F: FnOnce() -> R,
{
    pub(super) fn new(closure: F, slot: Arc<Slot<R>>) -> Self {
        Self { closure: Some(closure), slot }
    }

    /// Runs the closure, unless the caller has gone, calls `hook`, and then publishes what
    /// it came to. Never panics.
    pub(crate) fn run(mut self, hook: impl FnOnce(End)) {
        let Some(closure) = self.closure.take() else { return };
        if self.slot.state.start() == Start::Cancelled {
            drop_quietly(closure);
            return quietly(|| hook(End::Cancelled));
        }
        let outcome = catch_unwind(AssertUnwindSafe(closure)).map_err(Fault::Panicked);
        let end = if outcome.is_ok() { End::Returned } else { End::Panicked };
        if self.slot.state.is_abandoned() || self.slot.is_detached() {
            // Nobody will look: the result goes first, and then it is counted as gone.
            drop_quietly(outcome);
            return quietly(|| hook(end));
        }
        quietly(|| hook(end));
        publish(&self.slot, outcome);
    }
}

impl<F, R> Drop for Job<F, R> {
    fn drop(&mut self) {
        if let Some(closure) = self.closure.take() {
            drop_quietly(closure);
            publish(&self.slot, Err(Fault::Refused));
        }
    }
}

fn publish<R>(slot: &Slot<R>, outcome: Outcome<R>) {
    slot.put(outcome);
    match slot.state.complete() {
        Complete::Wake => {
            if let Some(waker) = slot.waker.take() {
                quietly(|| waker.wake());
            }
        }
        Complete::Abandoned => drop_quietly(slot.take()),
    }
}

/// Drops a value whose `Drop` may panic, on a thread that has to go on.
pub(crate) fn drop_quietly<T>(value: T) {
    quietly(|| drop(value));
}

/// Runs foreign code that has nobody to report a panic to (rule B5).
pub(crate) fn quietly(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // The payload's own drop may panic as well. What that throws is leaked: one value of
        // a program whose destructors panic, against a thread that everyone depends on.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}
