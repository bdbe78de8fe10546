//! The side of a program that lends its runtime to plug-ins.
//!
//! Owns the host's side of each plug-in: its requests, its counts, and the libraries that were
//! loaded. How values cross belongs to `boundary`, and so do the rules that SAFETY notes cite:
//! **X8.** is that the functions of a library are called only while it is mapped.

mod counts;
mod handle;
mod hosted;
mod library;
mod plugins;
mod requests;
mod stats;
mod threads;

#[cfg(all(test, not(loom_model), feature = "plugin"))]
mod end_tests;
#[cfg(all(test, not(loom_model)))]
mod tests;

#[cfg(feature = "plugin")]
pub(crate) use handle::is_own;
pub use handle::{PluginHandle, live};
pub use library::{LoadError, Plugin, UnloadError};
pub use stats::PluginStats;
