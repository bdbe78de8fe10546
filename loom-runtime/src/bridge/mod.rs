//! Carries a closure to another thread and its result, or its panic, back to a task.
//!
//! Owns the protocol of `README.md`, beside this file, and nothing else: it starts no
//! thread, queues nothing, counts nothing, and knows no executor but `std::task`.

mod complete;
mod future;
mod slot;
mod state;

use std::any::Any;

use crate::sync::Arc;

pub(crate) use complete::{End, Job, drop_quietly, quietly};
pub(crate) use future::Call;

/// Why there is no result.
pub(crate) enum Fault {
    /// The closure panicked; this is what it threw.
    Panicked(Box<dyn Any + Send>),
    /// The job was dropped without being run.
    Refused,
}

/// What the closure came to.
pub(crate) type Outcome<R> = Result<R, Fault>;

/// The two ends of a call of `f`.
pub(crate) fn call<F, R>(f: F) -> (Job<F, R>, Call<R>)
where
    F: FnOnce() -> R,
{
    let slot = Arc::new(slot::Slot::new());
    (Job::new(f, Arc::clone(&slot)), Call::new(slot))
}

#[cfg(test)]
mod tests;
