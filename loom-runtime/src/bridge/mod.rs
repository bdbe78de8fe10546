//! Carries closures to other threads and their results, or their panics, back to tasks.
//!
//! Owns the protocol in `README.md`: what the two ends of a call do with the slot that they share,
//! the queue in which jobs wait, and when a drainer has to be fetched. It starts no thread, counts
//! nothing for metrics, and knows `std::task` and no executor.

#![expect(unsafe_code, reason = "type-erased slots, whose state says which end owns which part")]

mod complete;
mod drainer_set;
mod future;
mod held;
mod jobs;
mod lend;
mod outcome;
mod pair;
mod polls;
mod queue;
mod slot;
mod state;

#[cfg(all(test, loom_model))]
mod drainer_model;
#[cfg(all(test, not(loom_model)))]
mod drainer_tests;
#[cfg(all(test, not(loom_model)))]
mod fuzz;
#[cfg(all(test, not(loom_model)))]
mod held_tests;
#[cfg(all(test, not(loom_model)))]
pub(crate) mod hostile;
#[cfg(all(test, not(loom_model)))]
mod hostile_tests;
#[cfg(all(test, loom_model))]
mod lend_model;
#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod queue_tests;
#[cfg(all(test, not(loom_model)))]
mod tests;

pub(crate) use complete::{Job, current_is_unwanted};
pub(crate) use drainer_set::Generation;
pub(crate) use future::Call;
pub(crate) use held::Held;
#[cfg(all(test, loom_model))]
pub(crate) use held::Holding;
pub(crate) use lend::{Lent, lend};
pub use outcome::Priority;
pub(crate) use outcome::{End, Fault, Observer, Outcome, Queueing};
pub(crate) use pair::call;
pub(crate) use polls::{Handle, Host, nested_polls, poll_nested, waker_table};
pub(crate) use queue::{Drainer, Draining, Queue};
