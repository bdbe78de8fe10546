//! The storage of tasks and their wakers: all unsafe code of the executor (`README.md`).
//!
//! This module owns tasks, their memory, their queues and the executor's shared state; its
//! interface is safe. It does not own the public interface of an executor, which is in `../run.rs`.

#![expect(unsafe_code, reason = "queues, wakers and handles share the memory of tasks")]

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
pub(super) use waker::{Handle, Reference};
