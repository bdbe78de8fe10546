//! The side of a program that lends its runtime to plug-ins.
//!
//! Owns what a plug-in's requests come to here, what is counted of it, and the libraries that were
//! loaded. How things cross is `boundary`'s.

mod handle;
mod hosted;
mod library;

#[cfg(feature = "plugin")]
pub(crate) use handle::is_own;
pub use handle::{PluginHandle, PluginStats, live};
pub(crate) use hosted::Plugins;
pub use library::{LoadError, Plugin, UnloadError};
