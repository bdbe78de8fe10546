//! The side of a program that lends its runtime to plug-ins.
//!
//! Owns what a plug-in's requests come to here, what is counted of it, and the libraries that were
//! loaded. How things cross is `boundary`'s, and so are the rules that SAFETY notes cite: **X8.** is
//! that the functions of a library are called only while it is mapped.

mod counts;
mod handle;
mod hosted;
mod library;
mod plugins;
mod stats;
mod threads;

#[cfg(feature = "plugin")]
pub(crate) use handle::is_own;
pub use handle::{PluginHandle, live};
pub use library::{LoadError, Plugin, UnloadError};
pub use stats::PluginStats;
