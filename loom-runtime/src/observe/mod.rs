//! What a program can read from a runtime: functions, metrics, and where threads run.
//!
//! Owns the snapshots and their export. It counts nothing itself: `metrics` has the counters, and
//! the modules below this one add to them.

#[cfg(feature = "prometheus")]
mod exporter;
#[cfg(feature = "prometheus")]
mod families;
#[cfg(feature = "fleet")]
mod far;
#[cfg(feature = "prometheus")]
mod far_samples;
mod functions;
mod metrics;
#[cfg(feature = "prometheus")]
mod registries;
mod report;
mod slow_polls;
mod threads;

#[cfg(feature = "fleet")]
pub use far::FarStats;
pub(crate) use functions::of_core;
pub use functions::{FunctionStats, functions};
pub use metrics::{LoomMetrics, Reading};
pub use report::{Recommendation, Report};
pub(crate) use slow_polls::of_polls;
pub use slow_polls::{SlowPoll, slow_polls};
pub use threads::{InheritedIdle, ThreadReport, ThreadRole};
