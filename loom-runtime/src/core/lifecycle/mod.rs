//! The end of a runtime: which work may still start, and the wait until all work has ended.
//!
//! Owns the phase, the count of admitted work, and the list of waiters; the protocol is in
//! `README.md`. It ends no thread; `threads` does.

mod admitted;
mod refusal;
mod word;

#[cfg(all(test, not(loom_model)))]
mod hostile_tests;
#[cfg(all(test, loom_model))]
mod model;

pub(crate) use admitted::{Admitted, Drained};
pub(crate) use refusal::Refusal;
pub(crate) use word::Lifecycle;
#[cfg(all(test, loom_shuttle))]
pub(crate) use word::Waiter;
