//! What is counted while the program runs.
//!
//! Owns counters and histograms, all relaxed atomics: statistics that publish nothing.
//! It decides nothing, and it exports nothing by itself.

mod counters;
mod histogram;

pub(crate) use counters::{FunctionCounters, RuntimeCounters};
pub use histogram::RunTimes;
