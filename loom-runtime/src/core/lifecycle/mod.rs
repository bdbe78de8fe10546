//! The end of a runtime: who may still start work, and who waits for the last of it.
//!
//! Owns the phase, the count of admitted work, and the list of those who wait; the
//! protocol is in `README.md`. It ends no thread: that is for whoever owns them.

mod admitted;
mod refusal;
mod word;

#[cfg(all(test, loom_model))]
mod model;

pub(crate) use admitted::{Admitted, Drained};
pub(crate) use refusal::Refusal;
pub(crate) use word::Lifecycle;
