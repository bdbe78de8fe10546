//! Plug-ins: a runtime that crosses the boundary of a dynamic library.
#![doc = include_str!("guide.md")]

// Owns what a library that is attached has of its own: a tokio runtime for its sockets and timers,
// a rayon pool on the host's threads, and their start and end. How its tasks run is `guest`'s; the
// side of the program that lends its runtime is `plugin_host`; how things cross is `boundary`'s.

#[cfg(feature = "plugin")]
mod attach;
#[cfg(feature = "plugin")]
mod attached;
#[cfg(feature = "plugin")]
mod detach;
#[cfg(feature = "plugin")]
pub(crate) mod exported;
#[cfg(feature = "plugin")]
mod own;
#[cfg(feature = "plugin")]
mod start;

#[cfg(feature = "plugin")]
pub use crate::core::TokioContext;
#[cfg(feature = "plugin")]
pub use crate::executor::JoinError;
#[cfg(feature = "plugin")]
#[doc(inline)]
pub use crate::export_plugin as export;
#[cfg(feature = "plugin")]
pub use crate::guest::{BlockOnError, JoinHandle, Within};
#[cfg(feature = "plugin")]
pub use attach::{Attach, AttachError};
#[cfg(feature = "plugin")]
pub use attached::{Attached, SpawnError, block_in_place, current, spawn};
#[cfg(feature = "plugin")]
pub use detach::{StillAttached, detach, live};
#[cfg(feature = "plugin")]
pub use own::{Host, Sleep};
#[cfg(feature = "plugin")]
pub use start::attach;

/// The side of the program that lends its runtime.
#[cfg(feature = "plugin-host")]
pub mod host {
    pub use crate::plugin_host::{LoadError, Plugin, PluginHandle, PluginStats, UnloadError, live};
}

/// What crosses the boundary, and how much of it is alive.
pub use loom_abi::{Report, RuntimeHandle};
