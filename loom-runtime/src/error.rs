//! The one error type of the crate.
//!
//! Each variant names the setting or the resource that it is about, and a way out. Panics of user
//! code are not errors of Loom: they reach the task that awaits the work.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where the value of a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The default, since it was not set.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, with its name.
    Environment(String),
    /// Code: the attribute or the builder.
    Code,
    /// The tokio runtime that was given.
    Host,
    /// A command line argument, as it is written.
    Argument(String),
    /// The page of the feature `dashboard`.
    Page,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("by default"),
            Self::File(path) => write!(f, "from file `{}`", path.display()),
            Self::Environment(variable) => write!(f, "from environment variable `{variable}`"),
            Self::Code => f.write_str("set in code"),
            Self::Host => f.write_str("of the tokio runtime that was given"),
            Self::Argument(argument) => write!(f, "from argument `{argument}`"),
            Self::Page => f.write_str("set on the page"),
        }
    }
}

/// What can go wrong when a runtime is built.
///
/// ```
/// let error = loom::LoomBuilder::new().tokio_threads(0).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`tokio_threads` is 0 (set in code); expected a whole number from 1 to 8192, or leave it \
///      out for the default"
/// );
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoomError {
    /// A setting has a value that is not allowed.
    #[error("`{setting}` is {value} ({source_of_value}); {remedy}")]
    InvalidSetting {
        /// The setting's name in the builder.
        setting: &'static str,
        /// The value that was given, or a description if the value cannot be shown.
        value: String,
        /// Where the value was given.
        source_of_value: Source,
        /// What was expected, or how to set what was probably meant.
        remedy: String,
    },

    /// The runtime cannot join its fleet.
    #[cfg(feature = "fleet")]
    #[error("cannot join the fleet: {0}")]
    Fleet(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// A key that names no setting.
    #[error("`{key}` is no setting ({source_of_key}); {remedy}")]
    UnknownSetting {
        /// The key as it was written.
        key: String,
        /// Where the key was written.
        source_of_key: Source,
        /// The most similar key, or all keys.
        remedy: String,
    },

    /// A file that cannot be read as a configuration file.
    #[error("cannot use configuration file `{}`: {problem}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// The fault, with line and column if they are known.
        problem: String,
    },

    /// A file that cannot be read as a profile.
    #[error("cannot use profile `{}`: {problem}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// The fault, with the line if it is known.
        problem: String,
    },

    /// `pin = "required"`, and the system refused to pin a thread.
    #[error(
        "cannot pin thread `{thread}` to CPUs {cpus}: {source}; allow `sched_setaffinity`, or set `pin` to true to run without pinning"
    )]
    PinRefused {
        /// The thread's name.
        thread: String,
        /// The CPUs that the thread was to be pinned to, as a list such as `0-3,8`.
        cpus: String,
        /// The system's error.
        source: io::Error,
    },

    /// The process was forked from a process that has runtimes.
    #[error(
        "cannot build a runtime: this process was forked from a process that has runtimes; their threads exist only in the parent, and locks that they held stay locked here; `exec` a program, or fork before the first runtime is built"
    )]
    Forked,

    /// The system refused threads. The threads that it did start have been ended.
    #[error(
        "the system refuses {}: {source}; raise the limit on threads (`ulimit -u`, or `pids.max` of the control group), or lower `tokio_threads` and `rayon_threads`",
        if *wanted == 1 { "a thread".to_owned() } else { format!("{wanted} threads at once") }
    )]
    ThreadsRefused {
        /// How many threads were requested at once.
        wanted: usize,
        /// The system's error.
        source: io::Error,
    },

    /// The system refused a resource that tokio needs to start.
    #[error(
        "cannot start the tokio runtime: {0}; raise the limits on open files and threads (`ulimit -n -u`), or lower `tokio_threads`"
    )]
    TokioRuntime(#[source] io::Error),

    /// The system refused a resource that a local core needs to start.
    #[error(
        "cannot start a local core: {0}; raise the limits on open files and threads (`ulimit -n -u`), or lower `local_cores`"
    )]
    LocalCore(#[source] io::Error),

    /// The system refused the threads of the compute pool.
    #[error(
        "cannot start the compute threads: {0}; raise the limit on threads (`ulimit -u`), or lower `rayon_threads`"
    )]
    RayonThreadPool(#[source] Box<dyn StdError + Send + Sync>),

    /// The host of a plug-in refused a resource that the plug-in needs.
    #[error(
        "the host refuses what a plug-in needs (status {0} of loom-abi): it has shut down, or the \
         system refuses the host more threads"
    )]
    Host(u32),
}

/// A `Result` whose error is a [`LoomError`] by default.
pub type Result<T, E = LoomError> = std::result::Result<T, E>;
