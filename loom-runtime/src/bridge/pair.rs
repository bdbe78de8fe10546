//! The two ends of a call, which share a slot.

use super::complete::Job;
use super::future::Call;
use super::outcome::{Observer, Queueing};
use super::slot::Slot;

/// The two ends of a call of `f`.
pub(crate) fn call<F, R, T>(f: F, observer: T, queueing: impl Into<Queueing>) -> (Job, Call<R>)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
    T: Observer + 'static,
{
    // SAFETY: B7, all three are `'static`, so they borrow nothing.
    unsafe { pair(f, observer, queueing.into()) }
}

/// The two ends of a call.
///
/// # Safety
///
/// B7: everything that closure, result and observer borrow outlives the job.
pub(super) unsafe fn pair<F, R, T>(f: F, observer: T, queueing: Queueing) -> (Job, Call<R>)
where
    F: FnOnce() -> R + Send,
    R: Send,
    T: Observer,
{
    let slot = Slot::make(f, observer, queueing);
    // SAFETY: B1, the slot is new.
    let job = unsafe { Job::of(slot) };
    // SAFETY: B1, the slot is new, and its closure returns an `R`.
    let call = unsafe { Call::of(slot) };
    (job, call)
}
