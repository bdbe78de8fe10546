//! The runtime: threads, spawning, context, configuration and the end of it all.
//!
//! The only module that names tokio or rayon. It puts the others together: `topology`
//! says where threads go, `bridge` carries calls, `scheduler` decides, `metrics` counts.
//! It deliberately holds no rule of its own about where a call runs.

mod adaptive;
mod block_on;
mod builder;
mod compute;
mod config;
mod context;
mod core;
mod entry;
mod functions;
mod handle;
mod process_wide;
mod shutdown;
mod spawn;
mod threads;
mod tokio_side;

pub use adaptive::AdaptiveFuture;
pub use builder::LoomBuilder;
pub use compute::ComputeFuture;
pub use config::LoomConfig;
pub use entry::{run_main, run_test, test_builder};
pub use functions::{FunctionStats, functions};
pub use handle::LoomRuntime;
pub use spawn::{
    current_runtime, spawn_adaptive, spawn_adaptive_at, spawn_adaptive_with_hint, spawn_async,
    spawn_compute,
};

// The words of its settings and calls, from where they are defined.
pub use crate::scheduler::{ComputeHint, Site};
pub use crate::topology::{ComputePriority, Pin, Placement};
