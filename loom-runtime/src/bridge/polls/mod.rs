//! Futures whose polls run on a task or on the pool (`README.md`).
//!
//! Owns the cell that holds such a future, its wakers, and the right to poll it. Where a poll runs is
//! decided by the host, which the caller brings.

mod cell;
mod depth;
mod handle;
mod host;
mod turn;
mod typed;
mod waker;
mod word;

#[cfg(all(test, not(loom_model)))]
mod fuzz;
#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod queue_tests;
#[cfg(all(test, not(loom_model)))]
mod random;
#[cfg(test)]
mod test_host;
#[cfg(all(test, not(loom_model)))]
mod tests;

pub(crate) use depth::{poll_nested, polls as nested_polls};
pub(crate) use handle::Handle;
pub(crate) use host::Host;
pub(crate) use waker::waker_table;
