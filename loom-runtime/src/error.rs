//! The one error type of the crate.
//!
//! Each variant names the setting or the thing it is about and the way out.
//! Panics of user code are not errors of Loom: they travel to whoever awaits the work.

use std::error::Error as StdError;
use std::io;

/// What can go wrong when a runtime is built.
///
/// ```
/// let error = loom::LoomBuilder::new().tokio_threads(0).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`tokio_threads` is 0; expected 1 to 8192: leave it out to get one for each CPU of the budget"
/// );
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoomError {
    /// A setting has a value it cannot have.
    #[error("`{setting}` is {value}; {remedy}")]
    InvalidSetting {
        /// The builder's name of the setting.
        setting: &'static str,
        /// The value that was given, as it would be written in code.
        value: String,
        /// What was expected, or how to get what was probably meant.
        remedy: String,
    },

    /// `pin = "required"`, and the system refused to pin a thread.
    #[error(
        "cannot pin thread `{thread}` to CPUs {cpus}: {source}; allow `sched_setaffinity`, or set `pin` to true to go on without"
    )]
    PinRefused {
        /// The thread's name.
        thread: String,
        /// The CPUs it should have got, as a list such as `0-3,8`.
        cpus: String,
        /// What the system answered.
        source: io::Error,
    },

    /// The system refused what tokio needs to start.
    #[error(
        "cannot start the tokio runtime: {0}; raise the limits on open files and threads (`ulimit -n -u`), or lower `tokio_threads`"
    )]
    TokioRuntime(#[source] io::Error),

    /// The system refused the threads of the compute pool.
    #[error(
        "cannot start the compute threads: {0}; raise the limit on threads (`ulimit -u`), or lower `rayon_threads`"
    )]
    RayonThreadPool(#[source] Box<dyn StdError + Send + Sync>),
}

/// A result whose error is a [`LoomError`].
pub type Result<T> = std::result::Result<T, LoomError>;
