//! What people and programs may read of a runtime: functions, figures, and where threads are.
//!
//! Owns the snapshots and what exporters make of them. It counts nothing itself: `metrics` has the
//! counters, and the rooms below add to them.

#[cfg(feature = "prometheus")]
mod exporter;
mod functions;
mod metrics;
mod threads;

pub(crate) use functions::of_core;
pub use functions::{FunctionStats, functions};
pub use metrics::{LoomMetrics, Reading};
pub use threads::{ThreadReport, ThreadRole};
