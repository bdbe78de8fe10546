//! Plug-ins: a runtime that crosses the boundary of a dynamic library.
#![doc = include_str!("guide.md")]

// Owns an attached library's own tokio runtime (for its sockets and timers), its rayon pool on the
// host's threads, and the start and end of both. How the library's tasks run belongs to `guest`;
// the side that lends its runtime is `plugin_host`; how values cross belongs to `boundary`.

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

/// The side of a program that lends its runtime.
#[cfg(feature = "plugin-host")]
pub mod host {
    pub use crate::plugin_host::{LoadError, Plugin, PluginHandle, PluginStats, UnloadError, live};
}

/// The handle that crosses the boundary, and the counts of what is alive across it.
pub use loom_abi::{Report, RuntimeHandle};
