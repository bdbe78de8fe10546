//! A thread a core: tasks that need not be `Send`, on threads of their own.
//!
//! [`LoomBuilder::local_cores`] starts them, [`LoomRuntime::local`] and
//! [`local_for`](LoomRuntime::local_for) give them work, and [`spawn`](local::spawn) and its
//! neighbours are for code that runs there. [`Executor`](local::Executor) is what a core runs its
//! tasks with, and can be driven by hand.
//!
//! # Tokio on a core
//!
//! A core's thread is inside a tokio runtime of its own. `tokio::spawn` and
//! `tokio::task::spawn_local` make tasks on this core, which are not tracked;
//! `tokio::task::block_in_place` panics. [`spawn_async`] goes to the I/O
//! workers, and [`spawn_compute`] to the compute pool. A task that computes
//! without awaiting holds up the core's other tasks, its sockets and its timers.
//!
//! # The end
//!
//! Tasks of a core are tracked: `#[loom::main]` waits for them up to `shutdown_timeout`, so a loop
//! that accepts connections needs to be told to stop. After that, or when the last [`LoomRuntime`]
//! is dropped, each core drops its tasks on its thread, then each [`CoreState`](local::CoreState);
//! handles say that they were cancelled. A [`LocalCore`](local::LocalCore) keeps no runtime: once
//! that has ended, `spawn_with` panics, and delays of the core's clock fail.

// Owns the threads, what other threads hold of one, and what tasks find on theirs. The tasks
// themselves are `executor`'s; sockets, files and tokio's timers are those of the `LocalRuntime`
// that each core drives.

mod context;
mod cores;
mod handle;
mod state;
mod states;
mod thread;

pub use crate::executor::{
    Executor, ExecutorBuilder, JoinError, JoinHandle, RemoteSpawner, SlabClaim, Spawner, TaskId,
    Unplaced,
};
pub use crate::time::CoreId;
pub use context::{clock, current, spawn, spawner};
pub(crate) use cores::LocalCores;
pub use handle::LocalCore;
pub use state::CoreState;
pub use states::StateError;
pub(crate) use thread::start;
