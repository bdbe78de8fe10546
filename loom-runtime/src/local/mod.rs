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
//! # Time and words of other runtimes
//!
//! [`sleep`], [`timeout`], [`interval`] and their kin use the core's own [`clock`]. On Linux they
//! use a `timerfd` and do not round to milliseconds (`loom-bench local`); elsewhere they have the
//! resolution of tokio's timers, one millisecond. Their futures are not `Send`. Tokio's own timers
//! also work on a core.
//!
//! The names of nexus-async-rt, and what to use here:
//!
//! | there | here |
//! | --- | --- |
//! | `spawn_boxed`, `spawn_slab`, `claim_slab` | the same, by [`spawner`]; [`spawn`] returns a handle |
//! | `sleep`, `sleep_until`, `timeout`, `timeout_at`, `interval_at`, `after`, `after_delay`, `yield_now`, `MissedTickBehavior` | the same; [`timeout`] prefers the result if both are ready |
//! | `interval` | [`interval`], whose first tick comes at once, as tokio's does; `interval_at(Instant::now() + period, period)` for a first tick after a period |
//! | `event_time` | [`Clock::instant`](crate::time::Clock::instant) of the core's [`clock`] |
//! | `ShutdownSignal` | `loom::shutdown_signal` (feature `signal`) |
//! | `ShutdownHandle::trigger` | [`LoomRuntime::shutdown`](crate::LoomRuntime::shutdown) |
//! | `CancellationToken`, `DropGuard` | those of [`tokio_util::sync`]; `child` is `child_token` |
//! | `channel::local`, `mpsc`, `spsc` | [`tokio::sync::mpsc`] |
//! | `Backoff` | a crate such as backon, with [`sleep`] (`examples/reconnect.rs`) |
//! | `TcpListener`, `TcpStream`, `UdpSocket` | those of `tokio::net` |
//! | `Executor::drain`, `poll`, `task_count`, `has_ready` | the same of [`Executor`] |
//! | `JoinHandle::abort`, `is_finished` | the same of [`JoinHandle`]; its result is a `Result`, which says whether the task panicked |
//!
//! # The end
//!
//! Tasks of [`spawn`] and of [`LocalCore::spawn_with`] are tracked; those of [`spawner`] and of
//! tokio's own functions are not. `#[loom::main]` waits for tracked tasks up to `shutdown_timeout`,
//! so the program has to stop a loop that accepts connections. After that time, or when the last
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
mod time;

pub use crate::executor::{
    AbortHandle, Executor, ExecutorBuilder, JoinError, JoinHandle, RemoteSpawner, SlabClaim,
    Spawner, TaskId, Unplaced,
};
pub use crate::time::{CoreId, MissedTickBehavior};
pub use context::{clock, current, spawn, spawner};
pub(crate) use cores::LocalCores;
pub use handle::LocalCore;
pub use state::CoreState;
pub use states::StateError;
pub(crate) use thread::start;
pub use time::{
    Elapsed, Interval, Sleep, Timeout, after, after_delay, interval, interval_at, sleep,
    sleep_until, timeout, timeout_at, yield_now,
};
