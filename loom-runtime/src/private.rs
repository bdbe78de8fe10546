//! All that expansions of the attributes may name. Not for people: it changes without
//! notice.

pub use crate::runtime::{
    ComputeHint, ComputePriority, LoomBuilder, Magnitude, Pin, Placement, SimulatedFunction, Site,
    Surroundings, TokioFlavor, magnitude, run_main, run_test, spawn_adaptive_at,
    spawn_adaptive_sized, spawn_adaptive_sized_at, test_builder,
};

pub use core::time::Duration;
pub use core::{concat, module_path, prelude, stringify};
