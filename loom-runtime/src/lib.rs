//! Loom says where each function of an async program should run, and gets it right by
//! measuring.
//!
//! `#[loom::main]` builds one runtime of tokio (I/O) and rayon (compute) threads on one
//! core budget. `#[loom::compute]` marks a function as CPU work: each call runs inline on
//! the I/O worker or is offloaded to the compute pool, whichever has measured as cheaper.
//!
//! ```
//! #[loom::compute(hint = "high")]
//! fn checksum(data: Vec<u8>) -> u32 {
//!     data.iter().fold(0, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte))
//! }
//!
//! #[loom::main]
//! async fn main() {
//!     let sum = checksum(vec![1, 2, 3]).await;
//!     assert_eq!(sum, 1091);
//! }
//! ```
//!
//! # Where to look
//!
//! - [`macro@main`], [`macro@test`] and [`macro@compute`]: the attributes.
//! - [`LoomBuilder`] and [`LoomRuntime`]: the same by hand, as many runtimes as you like.
//! - [`spawn_compute`], [`spawn_adaptive`] and their neighbours: work without an attribute.
//! - [`functions`]: what has been measured, and where the calls ran.
//! - [`local`]: a thread a core, for tasks that are not `Send`; [`time`]: clocks, and time that a
//!   test holds.
//! - [`LoomRuntime::prometheus_metrics`]: what has been counted; with the feature `prometheus` in a
//!   registry of yours.
//! - With the feature of that name, `dashboard`: a live page; `tower`: load shedding; `tracing`:
//!   spans that follow work.
//! - [`LoomBuilder::profile`] and, with the feature of that name, `hints`: what was measured, for the
//!   next time.
//!
//! # Panics and cancellation
//!
//! A panic of compute work is raised again in the task that awaits it. Dropping a call
//! that somebody waited for cancels what has not started; see [`ComputeFuture`].

extern crate self as loom;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(any(feature = "plugin", feature = "plugin-host"))]
mod boundary;
mod bridge;
mod error;
mod executor;
mod metrics;
mod pool;
mod quiet;
mod runtime;
mod scheduler;
mod sync;
pub mod time;
mod topology;

pub use error::{LoomError, Result, Source};
pub use loom_macros::{compute, main, test};
pub use metrics::Histogram;
#[cfg(feature = "clap")]
pub use runtime::LoomArgs;
#[cfg(feature = "dashboard")]
pub use runtime::dashboard;
#[cfg(feature = "hints")]
pub use runtime::hints;
#[cfg(feature = "tower")]
pub use runtime::tower;
pub use runtime::{
    AdaptiveFuture, AdaptiveMap, ComputeError, ComputeFuture, ComputeMap, ComputePanic,
    ComputeStreamExt, EnterGuard, FunctionStats, LoomBuilder, LoomConfig, LoomMetrics, LoomRuntime,
    Priority, Reading, Scope, ScopeFuture, StillRunning, ThreadReport, ThreadRole, TokioFlavor,
    TryComputeFuture, command_reset, current_runtime, functions, is_cancelled, scope_adaptive,
    scope_adaptive_with_hint, scope_compute, scope_compute_with, spawn_adaptive,
    spawn_adaptive_with_hint, spawn_async, spawn_blocking, spawn_compute,
    spawn_compute_with_priority, try_spawn_adaptive, try_spawn_compute,
    try_spawn_compute_with_priority,
};
pub use scheduler::{Arm, ComputeHint, Mode};
pub use topology::{ComputePriority, Pin, Placement};

/// A thread a core: tasks that need not be `Send`, on threads of their own.
///
/// [`LoomBuilder::local_cores`] starts them, [`LoomRuntime::local`] and
/// [`local_for`](LoomRuntime::local_for) give them work, and [`spawn`](local::spawn) and its
/// neighbours are for code that runs there. [`Executor`](local::Executor) is what a core runs its
/// tasks with, and can be driven by hand.
///
/// # Tokio on a core
///
/// A core's thread is inside a tokio runtime of its own. `tokio::spawn` and
/// `tokio::task::spawn_local` make tasks on this core, which are not tracked;
/// `tokio::task::block_in_place` panics. [`spawn_async`] goes to the I/O
/// workers, and [`spawn_compute`] to the compute pool. A task that computes
/// without awaiting holds up the core's other tasks, its sockets and its timers.
///
/// # The end
///
/// Tasks of a core are tracked: `#[loom::main]` waits for them up to `shutdown_timeout`, so a loop
/// that accepts connections needs to be told to stop. After that, or when the last [`LoomRuntime`]
/// is dropped, each core drops its tasks on its thread, then each [`CoreState`](local::CoreState);
/// handles say that they were cancelled. A [`LocalCore`](local::LocalCore) keeps no runtime: once
/// that has ended, `spawn_with` panics, and delays of the core's clock fail.
pub mod local {
    pub use crate::executor::{
        Executor, ExecutorBuilder, JoinError, JoinHandle, RemoteSpawner, SlabClaim, Spawner,
        TaskId, Unplaced,
    };
    pub use crate::runtime::local::{
        CoreState, LocalCore, StateError, clock, current, spawn, spawner,
    };
    pub use crate::time::CoreId;
}

/// Plug-ins: a runtime that crosses the boundary of a dynamic library.
#[cfg(any(feature = "plugin", feature = "plugin-host"))]
#[doc = include_str!("plugin.md")]
pub mod plugin {
    #[cfg(feature = "plugin")]
    pub use crate::executor::JoinError;
    #[cfg(feature = "plugin")]
    #[doc(inline)]
    pub use crate::export_plugin as export;
    #[cfg(feature = "plugin")]
    pub use crate::runtime::plugin::{
        Attach, AttachError, Attached, BlockOnError, Host, JoinHandle, Sleep, SpawnError,
        StillAttached, TokioContext, Within, attach, block_in_place, current, detach, live, spawn,
    };

    /// The side of the program that lends its runtime.
    #[cfg(feature = "plugin-host")]
    pub mod host {
        pub use crate::runtime::plugin_host::{
            LoadError, Plugin, PluginHandle, PluginStats, UnloadError, live,
        };
    }

    /// What crosses the boundary, and how much of it is alive.
    pub use loom_abi::{Report, RuntimeHandle};
}

/// The vocabulary of decisions.
pub mod mab {
    pub use crate::scheduler::{
        Arm, CalibrationConfig, CalibrationResult, ComputeHint, ComputeHintProvider, Context,
        DecisionId, FunctionKey, MabKnobs, MabScheduler, Mode, Reason, Verdict,
    };
}

/// Compiles the examples of the README with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
