//! Attaching to a host: its settings and its errors.

use loom_abi::{Lack, RuntimeHandle};

use crate::error::LoomError;

use crate::core::TokioContext;

/// How a library attaches to a host.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is attached until `start` is called"]
pub struct Attach<'a> {
    pub(super) handle: RuntimeHandle<'a>,
    pub(super) driver_threads: usize,
    pub(super) compute_threads: Option<usize>,
    pub(super) context: TokioContext,
}

/// Why a library is not attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The host was built against a version that does not fit. None of its functions was called.
    #[error("the host's handle cannot be used: {0}")]
    Version(#[from] Lack),
    /// The handle was used before.
    #[error(
        "this handle was attached before, or its host has ended: each plug-in needs its own \
         handle (`LoomRuntime::plugin_handle`)"
    )]
    Used,
    /// The handle belongs to a runtime of this library.
    #[error(
        "the handle belongs to a runtime of this library: use the `LoomRuntime` itself; plug-ins \
         are for libraries that were built separately"
    )]
    SameLibrary,
    /// A setting is out of range.
    #[error("`{setting}` is {value}; expected a whole number from 1 to 8192")]
    Setting {
        /// The method of [`Attach`].
        setting: &'static str,
        /// The value that was passed.
        value: usize,
    },
    /// The host or the system refuses what the start needs.
    #[error(transparent)]
    Start(#[from] LoomError),
}

impl<'a> Attach<'a> {
    /// All defaults: one thread for the plug-in's tokio, as many compute threads as the host has,
    /// and tasks with the full tokio context ([`TokioContext::Budget`]).
    pub fn to(handle: RuntimeHandle<'a>) -> Self {
        let context = TokioContext::default();
        Self { handle, driver_threads: 1, compute_threads: None, context }
    }

    /// How many threads drive the plug-in's own tokio, 1 to 8192: its sockets and timers, and the
    /// tasks of `tokio::spawn`.
    pub fn driver_threads(mut self, threads: usize) -> Self {
        self.driver_threads = threads;
        self
    }

    /// How many threads the host starts for this plug-in's rayon, 1 to 8192. Where a host has many
    /// plug-ins on many CPUs, a few threads for each are enough: all plug-ins share the same CPUs.
    pub fn compute_threads(mut self, threads: usize) -> Self {
        self.compute_threads = Some(threads);
        self
    }

    /// Which tokio context the plug-in's tasks find, unless a task sets its own.
    pub fn context(mut self, context: TokioContext) -> Self {
        self.context = context;
        self
    }
}
