//! The two ends of a call, which share a slot.

use super::complete::Job;
use super::future::Call;
use super::outcome::{Priority, Ticket};
use super::slot::Slot;

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
pub(super) unsafe fn pair<F, R, T>(f: F, ticket: T, priority: Priority) -> (Job, Call<R>)
where
    F: FnOnce() -> R + Send,
    R: Send,
    T: Ticket,
{
    let slot = Slot::make(f, ticket, priority);
    // SAFETY: B1, the slot is new.
    let job = unsafe { Job::of(slot) };
    // SAFETY: B1, as before, and the closure returns this type.
    let call = unsafe { Call::of(slot) };
    (job, call)
}
