//! Counts events and durations while the program runs.
//!
//! Owns counters and histograms. Both are relaxed atomics: statistics, which publish nothing.
//! It decides nothing, and exports nothing by itself.

mod counters;
#[cfg(feature = "prometheus")]
mod family;
mod histogram;
#[cfg(feature = "prometheus")]
mod prometheus;
mod rate;
mod sharded;

pub(crate) use counters::{Counter, FunctionCounters, RuntimeCounters};
#[cfg(feature = "prometheus")]
pub(crate) use family::{Family, Kind, Sample, Value, prefix};
pub use histogram::Histogram;
pub(crate) use histogram::Recorder;
#[cfg(feature = "prometheus")]
pub(crate) use prometheus::Exported;
