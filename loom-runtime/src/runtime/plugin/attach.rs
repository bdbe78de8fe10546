//! Attaching to a host.

use loom_abi::{Lack, RuntimeHandle};

use crate::boundary::HostRef;
use crate::error::LoomError;
use crate::sync::Arc;

use super::attached::Attached;
use super::start;
use super::within::TokioContext;

/// Has this library use the host's runtime; the same as [`Attach::to`] with all defaults.
///
/// From then on, and until [`Attached::detach`] or the end of the host, the free functions of
/// this crate ([`loom::spawn_async`](crate::spawn_async) and its neighbours), compute functions
/// and `loom::current_runtime` mean the host's runtime on every thread that has no other.
///
/// ```
/// use loom::plugin::Attached;
///
/// /// What the host calls first; `handle` is lent by it.
/// pub extern "C" fn thumbnails_start(handle: loom::plugin::RuntimeHandle<'_>) -> bool {
///     match loom::plugin::attach(handle) {
///         // It stays attached when this is dropped.
///         Ok(attached) => serve(&attached),
///         Err(error) => eprintln!("thumbnails: {error}"),
///     }
///     loom::current_runtime().is_some()
/// }
///
/// fn serve(attached: &Attached) {
///     drop(attached.spawn(async { /* tokio's sockets and timers work in here */ }));
/// }
/// # assert!(loom::current_runtime().is_none());
/// ```
///
/// # Errors
///
/// [`AttachError`].
pub fn attach(handle: RuntimeHandle<'_>) -> Result<Attached, AttachError> {
    Attach::to(handle).start()
}

/// How a library attaches to a host.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is attached until `start` is called"]
pub struct Attach<'a> {
    handle: RuntimeHandle<'a>,
    pub(super) driver_threads: usize,
    pub(super) compute_threads: Option<usize>,
    pub(super) context: TokioContext,
}

/// Why a library is not attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The host was built against a version that does not fit. Nothing of it was called.
    #[error("the host's handle cannot be used: {0}")]
    Version(#[from] Lack),
    /// The handle was used before.
    #[error(
        "this handle was attached before, or its host has ended: each plug-in needs one of its \
         own (`LoomRuntime::plugin_handle`)"
    )]
    Used,
    /// The handle is of a runtime of this very library.
    #[error(
        "the handle is of a runtime of this very library: use the `LoomRuntime` itself; plug-ins \
         are for libraries that were built apart"
    )]
    SameLibrary,
    /// A setting has a value that it cannot have.
    #[error("`{setting}` is {value}; expected a whole number from 1 to 8192")]
    Setting {
        /// The method of [`Attach`].
        setting: &'static str,
        /// What it was given.
        value: usize,
    },
    /// The host, or the system, does not give what is needed.
    #[error(transparent)]
    Start(#[from] LoomError),
}

impl<'a> Attach<'a> {
    /// All defaults: one thread for the plug-in's tokio, as many compute threads as the host has,
    /// and tasks with all that tokio's have ([`TokioContext::Budget`]).
    pub fn to(handle: RuntimeHandle<'a>) -> Self {
        let context = TokioContext::default();
        Self { handle, driver_threads: 1, compute_threads: None, context }
    }

    /// How many threads drive the plug-in's own tokio, 1 to 8192: its sockets and timers, and what
    /// is given to `tokio::spawn`.
    pub fn driver_threads(mut self, threads: usize) -> Self {
        self.driver_threads = threads;
        self
    }

    /// How many threads the host starts for this plug-in's rayon, 1 to 8192. Where a host has many
    /// plug-ins on many CPUs, a few for each are enough: all of them share the same CPUs.
    pub fn compute_threads(mut self, threads: usize) -> Self {
        self.compute_threads = Some(threads);
        self
    }

    /// What tasks find of the plug-in's own tokio, where they do not say otherwise.
    pub fn context(mut self, context: TokioContext) -> Self {
        self.context = context;
        self
    }

    /// Attaches: the host starts the threads, and this waits until they are there, 10 s at most.
    ///
    /// # Errors
    ///
    /// [`AttachError`]; [`Start`](AttachError::Start) also where the host has ended.
    pub fn start(self) -> Result<Attached, AttachError> {
        let settings = [
            ("driver_threads", self.driver_threads),
            ("compute_threads", self.compute_threads.unwrap_or(1)),
        ];
        for (setting, value) in settings {
            if !(1..=8192).contains(&value) {
                return Err(AttachError::Setting { setting, value });
            }
        }
        let host = HostRef::of(self.handle)?;
        #[cfg(feature = "plugin-host")]
        if crate::runtime::plugin_host::is_own(self.handle) {
            return Err(AttachError::SameLibrary);
        }
        start::start(Arc::new(host), &self)
    }
}
