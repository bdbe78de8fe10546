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
