//! Carries closures to other threads and their results, or their panics, back to tasks.
//!
//! Owns the protocol of `README.md`, beside this file: what the two ends of a call do with
//! the slot between them, the line in which jobs wait, and who has to come for them. It
//! starts no thread, counts nothing for people, and knows no executor but `std::task`.

#![expect(unsafe_code, reason = "slots without a type, owned by state")]

mod complete;
mod crew;
mod future;
mod lend;
mod line;
mod queue;
mod slot;
mod state;

#[cfg(all(test, not(loom_model)))]
mod line_tests;
#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod tests;

use std::any::Any;

pub(crate) use complete::{Job, current_is_unwanted, set_aside};
pub(crate) use future::Call;
pub(crate) use lend::{Lent, lend};
pub(crate) use line::{Drainer, Line};

/// Why there is no result.
pub(crate) enum Fault {
    /// The closure panicked; this is what it threw.
    Panicked(Box<dyn Any + Send>),
    /// The job was dropped without being run, or its ticket said no.
    Refused,
}

/// What the closure came to.
pub(crate) type Outcome<R> = Result<R, Fault>;

/// What goes first where work waits.
///
/// Work of higher priority starts before work of lower priority that came earlier, but not
/// for ever: what was passed over sixteen times in a row goes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Whatever can wait: precomputation, clean-up.
    Low,
    /// What most work is.
    #[default]
    Normal,
    /// What somebody is waiting for.
    High,
}

/// How a job ended, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It ran, and did not panic.
    Returned,
    /// It ran and panicked.
    Panicked,
    /// It never ran, since its caller had gone.
    Cancelled,
    /// It never ran, since there was nobody to run it.
    Refused,
}

/// Goes with a call, and is told how it ended (B6).
pub(crate) trait Ticket: Send {
    /// What is kept until whoever waits has been woken, and so may outlive what the call borrows.
    type After: 'static;

    /// Asked when the work is about to run; false to refuse it.
    fn may_start(&self) -> bool;

    /// The caller has gone before it started; the closure is dropped next.
    fn withdraw(&self);

    /// The closure is gone, and so is an outcome that nobody wants. A panic goes no further.
    /// `unwanted` says that a caller had waited and has gone.
    fn end(self, end: End, unwanted: bool) -> Self::After;
}

/// The two ends of a call of `f`.
pub(crate) fn call<F, R, T>(f: F, ticket: T, priority: Priority) -> (Job, Call<R>)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
    T: Ticket + 'static,
{
    // SAFETY: B7, nothing in it is borrowed.
    unsafe { pair(f, ticket, priority) }
}

/// The two ends of a call.
///
/// # Safety
///
/// B7: what closure, result and ticket borrow outlives the job.
unsafe fn pair<F, R, T>(f: F, ticket: T, priority: Priority) -> (Job, Call<R>)
where
    F: FnOnce() -> R + Send,
    R: Send,
    T: Ticket,
{
    let slot = slot::Slot::make(f, ticket, priority);
    // SAFETY: B1, the slot is new.
    let job = unsafe { Job::of(slot) };
    // SAFETY: B1, as before, and the closure returns this type.
    let call = unsafe { Call::of(slot) };
    (job, call)
}
