//! The runtime: threads, spawning, context, configuration and the end of it all.
//!
//! The only module that names tokio or rayon. It puts the others together: `topology`
//! says where threads go, `bridge` carries calls, `scheduler` decides, `metrics` counts.
//! It deliberately holds no rule of its own about where a call runs.

mod adaptive;
mod attribute;
mod backlog;
mod baggage;
mod block_on;
mod blocking;
mod builder;
mod calibrate;
mod clock;
mod command;
mod compute;
mod config;
mod context;
mod core;
#[cfg(feature = "dashboard")]
pub mod dashboard;
mod decisions;
mod describe;
mod drain;
mod ending;
mod entry;
#[cfg(feature = "prometheus")]
mod exporter;
mod fallible;
mod familiar;
mod functions;
mod guests;
mod handle;
#[cfg(feature = "hints")]
pub mod hints;
mod hold;
mod keeper;
mod lifecycle;
pub(crate) mod local;
mod metrics;
mod on_the_spot;
mod owner;
#[cfg(feature = "plugin")]
pub(crate) mod plugin;
#[cfg(feature = "plugin-host")]
pub(crate) mod plugin_host;
mod pressure;
mod process_wide;
mod profile;
mod scope;
mod shares;
mod spawn;
mod spread;
mod start;
mod stream;
mod threads;
mod ticket;
mod timer;
mod tokio_side;
#[cfg(feature = "tower")]
pub mod tower;
mod trace;
mod watch;
mod work;

pub use adaptive::AdaptiveFuture;
pub use attribute::{
    Argument, At, On, Outcome, RuntimeRef, call0, call1, call2, call3, call4, call5, call6, call7,
    call8, call9, call10, call11, call12, magnitude, on, scoped0, scoped1, scoped2, scoped3,
    scoped4, scoped5, scoped6, scoped7, scoped8, scoped9, scoped10, scoped11, scoped12,
};
pub use baggage::Carry;
pub use builder::LoomBuilder;
pub use command::command_reset;
pub use compute::{ComputeFuture, is_cancelled};
#[cfg(feature = "clap")]
pub use config::LoomArgs;
pub use config::{LoomConfig, TokioFlavor};
pub use context::EnterGuard;
pub use describe::{ThreadReport, ThreadRole};
pub use ending::StillRunning;
pub use entry::{
    run_main, run_plain_test, run_plain_test_on_both, run_test, run_test_on_both, test_builder,
};
pub use fallible::{ComputeError, ComputePanic, TryComputeFuture};
pub use functions::{FunctionStats, functions};
pub use handle::LoomRuntime;
pub use metrics::{LoomMetrics, Reading};
pub use scope::{
    ScopeFuture, scope_adaptive, scope_adaptive_with_hint, scope_compute, scope_compute_with,
};
pub use spawn::{
    current_runtime, spawn_adaptive, spawn_adaptive_with_hint, spawn_async, spawn_blocking,
    spawn_compute, spawn_compute_with_priority, try_spawn_adaptive, try_spawn_compute,
    try_spawn_compute_with_priority,
};
pub use stream::{AdaptiveMap, ComputeMap, ComputeStreamExt};
pub use work::Scope;

// The words of its settings and calls, from where they are defined.
pub use crate::bridge::Priority;
pub use crate::scheduler::{
    ComputeHint, Magnitude, Mode, SimulatedFunction, Site, Surroundings, hint_of,
};
pub use crate::topology::{ComputePriority, Pin, Placement};
