//! Local cores: tasks that need not be `Send`, each on one pinned thread.
//!
//! [`LoomBuilder::local_cores`](crate::LoomBuilder::local_cores) starts the threads.
//! [`LoomRuntime::local`](crate::LoomRuntime::local) and
//! [`local_for`](crate::LoomRuntime::local_for) return a core to send work to. [`spawn`] and the
//! other functions of this module are for code that runs on a core. A core runs its tasks with an
//! [`Executor`], which a program can also drive itself.
//!
//! # Tokio on a core
//!
//! Each core's thread runs inside a tokio runtime of its own. `tokio::spawn` and
//! `tokio::task::spawn_local` make tasks on this core, and these tasks are not tracked.
//! `tokio::task::block_in_place` panics. [`spawn_async`](crate::spawn_async) spawns on the I/O
//! workers, and [`spawn_compute`](crate::spawn_compute) on the compute pool. A task that computes
//! without awaiting delays the core's other tasks, its sockets and its timers.
//!
//! # The end
//!
//! Tasks of a core are tracked: `#[loom::main]` waits for them up to `shutdown_timeout`, so the
//! program has to stop a loop that accepts connections. After that time, or when the last
//! [`LoomRuntime`](crate::LoomRuntime) is dropped, each core drops its tasks on its thread, and
//! then the value of each [`CoreState`]. The handles of these tasks report that they were
//! cancelled. A [`LocalCore`] does not keep the runtime alive: once the runtime has ended,
//! `spawn_with` panics, and delays of the core's clock fail.

// This module owns the threads, the handles that other threads hold, and the context of the tasks
// on a core. It does not own the tasks (`executor` does), nor sockets, files and tokio's timers
// (the `LocalRuntime` of each core does).

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
