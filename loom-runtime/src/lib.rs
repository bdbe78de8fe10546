//! Loom decides where each function of an async program should run, by measuring.
//!
//! `#[loom::main]` builds one runtime, whose tokio (I/O) threads and rayon (compute) threads share
//! one core budget. `#[loom::compute]` marks a function as CPU work. Each of its calls runs inline
//! on the I/O worker or is offloaded to the compute pool, whichever has measured as cheaper.
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
//! - The guide: [the module `docs`](https://docs.rs/loom-runtime/latest/loom/docs/), with a tutorial, recipes, and
//!   what to do about symptoms. `cargo doc --open -p loom-runtime --all-features` has it, too.
//! - [`macro@main`], [`macro@test`] and [`macro@compute`]: the attributes.
//! - [`LoomBuilder`] and [`LoomRuntime`]: the same without attributes, and for any number of
//!   runtimes.
//! - [`spawn_compute`], [`spawn_adaptive`] and related functions: compute work without attributes.
//! - [`spawn_compute_future`], [`spawn_adaptive_future`], [`yield_now`]: futures that compute and await.
//! - [`functions`]: what was measured of each function, and where its calls ran.
//! - [`slow_polls`], [`observe`](crate::observe()): which code holds an I/O worker up, so that it can be annotated.
//! - [`local`]: pinned threads for tasks that are not `Send`; [`time`]: clocks, and paused time for
//!   tests.
//! - [`LoomRuntime::prometheus_metrics`]: metrics; with the feature `prometheus`, also in a
//!   Prometheus registry.
//! - Features of the same name: `dashboard` is a live page, `tower` sheds load, and `tracing` makes
//!   spans follow the work.
//! - [`LoomBuilder::profile`] and the feature `hints`: measurements that are stored for later runs.
//!
//! # Panics and cancellation
//!
//! A panic of compute work is raised again in the task that awaits the work. Dropping the future of
//! a call after a poll cancels the call if it has not started; see [`ComputeFuture`].

// Which feature an item needs, on docs.rs.
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as loom;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(any(feature = "plugin", feature = "plugin-host"))]
mod boundary;
mod bridge;
mod call;
mod config;
mod core;
#[cfg(feature = "dashboard")]
pub mod dashboard;
// Its pages speak of every feature.
#[cfg(all(any(doc, doctest), feature = "full"))]
pub mod docs;
mod error;
mod executor;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "plugin")]
mod guest;
#[cfg(all(test, not(loom_model)))]
mod hostile;
mod learned;
pub mod local;
mod metrics;
mod observe;
mod panics;
#[cfg(any(feature = "plugin", feature = "plugin-host"))]
pub mod plugin;
#[cfg(feature = "plugin-host")]
mod plugin_host;
mod pool;
mod runtime;
mod scheduler;
mod sync;
mod text;
mod threads;
pub mod time;
mod topology;
#[cfg(feature = "tower")]
pub mod tower;

pub use bridge::Priority;
pub use call::{
    AdaptiveFuture, AdaptiveMap, ComputeError, ComputeFuture, ComputeMap, ComputePanic,
    ComputeStreamExt, DeadlineExceeded, OnCompute, Overridden, Scope, ScopeFuture, SpawnedFuture,
    TryCall, TryComputeFuture, TrySpawnedFuture, WithDeadline, YieldNow, deadline, is_cancelled,
    should_yield, try_call, with_deadline, yield_now,
};
#[cfg(feature = "clap")]
pub use config::LoomArgs;
pub use config::{LoomConfig, Override, TokioFlavor};
pub use core::EnterGuard;
pub use error::{LoomError, Result, Source};
#[cfg(feature = "hints")]
pub use learned::hints;
pub use loom_macros::{compute, main, test};
pub use metrics::Histogram;
pub use observe::{
    FunctionStats, InheritedIdle, LoomMetrics, Reading, Recommendation, Report, SlowPoll,
    ThreadReport, ThreadRole, functions, slow_polls,
};
#[cfg(feature = "signal")]
pub use runtime::shutdown_signal;
pub use runtime::{
    LoomBuilder, LoomRuntime, StillRunning, block_in_place, block_on, current_runtime,
    override_function, scope_adaptive, scope_adaptive_with_hint, scope_compute, scope_compute_with,
    spawn, spawn_adaptive, spawn_adaptive_future, spawn_adaptive_with_hint, spawn_async,
    spawn_blocking, spawn_compute, spawn_compute_future, spawn_compute_with_priority,
    try_spawn_adaptive, try_spawn_adaptive_future, try_spawn_compute, try_spawn_compute_future,
    try_spawn_compute_with_priority,
};
pub use scheduler::{Arm, ComputeHint, Mode, Wake};
pub use threads::{Observed, command_reset, observe};
pub use topology::{ComputePriority, GlobalRayon, Pin, Placement};

/// The types of the scheduler that decides where calls run.
pub mod mab {
    pub use crate::scheduler::{
        Arm, CalibrationConfig, CalibrationResult, ComputeHint, ComputeHintProvider, Context,
        DecisionId, FunctionKey, MabKnobs, MabScheduler, Mode, Reason, Verdict, Waits,
    };
}

/// Compiles the examples of the README together with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
