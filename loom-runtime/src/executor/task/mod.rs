//! The storage of tasks and their wakers: all unsafe code of the executor (`README.md`).
//!
//! Owns tasks, their memory, their queues and the home they share; what it offers is safe.
//! What an executor offers to its users is for `run.rs`.

#![expect(unsafe_code, reason = "tasks are memory that queues, wakers and handles share")]

mod cycle;
mod deferred;
mod header;
mod queue;
mod shared;
mod slots;
mod spawn;
mod stage;
mod state;
mod waker;

pub(super) use header::OVERHEAD;
pub use header::TaskId;
pub(super) use shared::{Shared, Size};
pub(super) use slots::SLOT_ALIGN;
pub(super) use spawn::Claim;
pub(super) use stage::{fits, room};
pub(super) use waker::Handle;
