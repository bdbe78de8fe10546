//! All that expansions of the attributes may name. Not for people: it changes without
//! notice.

pub use crate::runtime::{
    ComputeHint, ComputePriority, LoomBuilder, Magnitude, Pin, Placement, SimulatedFunction, Site,
    Surroundings, TokioFlavor, call_at, call_of_type, call_sized_at, call_sized_of_type, magnitude,
    run_main, run_test, test_builder,
};

pub use core::result::Result::{Err, Ok};
pub use core::time::Duration;
pub use core::{concat, module_path, prelude, stringify};
