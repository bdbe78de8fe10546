//! Tasks that stay on one thread: their storage, their queue, and wakers for any thread.
//!
//! This module owns [`Executor`] and the storage of its tasks; the protocol is in
//! `task/README.md`. It uses only `std::task`. It owns no threads, sockets or timers, and does not
//! drive an executor inside tokio: `local` does that.

mod error;
mod join;
mod run;
mod spawner;
mod task;

#[cfg(all(test, loom_model))]
mod driver_model;
#[cfg(all(test, not(loom_model)))]
mod fuzz;
#[cfg(all(test, not(loom_model)))]
mod handle_tests;
#[cfg(all(test, not(loom_model)))]
mod hostile_tests;
#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod slab_tests;
#[cfg(all(test, not(loom_model)))]
mod tests;

pub use error::JoinError;
pub use join::{AbortHandle, JoinHandle};
pub use run::{Executor, ExecutorBuilder};
pub use spawner::{RemoteSpawner, SlabClaim, Spawner, Unplaced};
pub use task::TaskId;
