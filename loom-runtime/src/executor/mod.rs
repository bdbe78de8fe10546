//! Tasks that stay on one thread: their storage, their queue, and wakers for any thread.
//!
//! Owns [`Executor`] and what its tasks are kept in; the protocol is in `task/README.md`. It knows
//! `std::task` alone: threads, sockets and timers are tokio's, and how a local core runs an
//! executor inside tokio is for `runtime`.

mod error;
mod join;
mod run;
mod spawner;
mod task;

#[cfg(all(test, not(loom_model)))]
mod handle_tests;
#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod slab_tests;
#[cfg(all(test, not(loom_model)))]
mod tests;

pub use error::JoinError;
pub use join::JoinHandle;
pub use run::{Executor, ExecutorBuilder};
pub use spawner::{RemoteSpawner, SlabClaim, Spawner, Unplaced};
pub use task::TaskId;
