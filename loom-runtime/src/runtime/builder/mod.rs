//! The builder, which collects settings from several sources and builds a runtime from them.
//!
//! This file has the sources, `settings` a method for each setting, and `build` makes the runtime.
//! Which values are allowed is defined in `config`, not here.

mod build;
mod settings;

#[cfg(feature = "config-files")]
use std::path::PathBuf;

use tokio::runtime::Handle;

#[cfg(feature = "clap")]
use crate::config::LoomArgs;
use crate::config::Settings;
#[cfg(feature = "fleet")]
use crate::runtime::Membership;
use crate::scheduler::Arm;
#[cfg(feature = "fleet")]
use crate::sync::Arc;
#[cfg(doc)]
use crate::{LoomRuntime, Placement};

/// Builds a [`LoomRuntime`].
///
/// Every setting has a default. The defaults suit a service that has its machine or container to
/// itself: one I/O worker and one compute thread for each CPU that the process may really use, with
/// compute threads at idle priority so that they never delay I/O.
///
/// Settings may come from several sources. Later sources win, in this order: defaults, this builder,
/// files (in the order of their calls), environment, command line. The author of a
/// program sets its defaults, and the person who runs it decides. The order of other method calls does
/// not matter.
///
/// ```
/// # fn main() -> loom::Result<()> {
/// let runtime = loom::LoomBuilder::new()
///     .prefix("shop")
///     .tokio_threads(2)
///     .rayon_threads(2)
///     .build()?;
/// assert_eq!(runtime.block_on(runtime.spawn_compute(|| 6 * 7)), 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct LoomBuilder {
    defaults: Settings,
    #[cfg(feature = "config-files")]
    files: Vec<PathBuf>,
    env_prefix: Option<String>,
    pub(super) code: Settings,
    #[cfg(feature = "clap")]
    args: LoomArgs,
    host: Option<Handle>,
    #[cfg(feature = "prometheus")]
    pub(super) registry: Option<prometheus::Registry>,
    #[cfg(feature = "fleet")]
    pub(super) fleet: Option<Arc<dyn Membership>>,
    /// The arm that a test forces for all adaptive calls.
    pub(super) forced: Option<Arm>,
    /// Whether a test pauses time.
    #[cfg(feature = "test-util")]
    start_paused: bool,
}

impl LoomBuilder {
    /// A builder with all defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder whose defaults are the settings of `builder`.
    pub(crate) fn with_defaults(builder: Self) -> Self {
        Self { defaults: builder.code.into_defaults(), ..Self::default() }
    }

    /// Makes the runtime a member of a fleet: calls of functions with `fleet` may run on other processes, or
    /// this process runs those of others, or both.
    ///
    /// A program of the package `loom-runtime-fleet` passes its `Fleet` here.
    #[cfg(feature = "fleet")]
    pub fn fleet(mut self, membership: impl Membership + 'static) -> Self {
        self.fleet = Some(Arc::new(membership));
        self
    }

    /// Reads settings from a TOML, YAML or JSON file when [`build`](Self::build) is called. The
    /// file's extension determines the format. The keys are at the top level of the file. A
    /// relative path is relative to the working directory at that time. May be called several
    /// times: later files win.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("loom-doc-{}.toml", std::process::id()));
    /// std::fs::write(&path, "rayon_threads = 3\nshutdown_timeout = \"30s\"")?;
    /// let runtime = loom::LoomBuilder::new().file(&path).build()?;
    /// assert_eq!(runtime.rayon_threads(), 3);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "config-files")]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Reads settings from environment variables when [`build`](Self::build) is called. With the
    /// prefix `MYAPP`, it reads `tokio_threads` from `MYAPP_TOKIO_THREADS`, and so on.
    ///
    /// Names are case-sensitive. Other variables with the prefix belong to the program and are
    /// ignored. A name that differs from a setting's by a letter or two, such as
    /// `MYAPP_TOKIO_THREAD`, is an error.
    pub fn env_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.env_prefix = Some(prefix.into());
        self
    }

    /// Takes settings from the command line. They win over all other sources; a file that is named
    /// on the command line wins over all sources except the other arguments.
    #[cfg(feature = "clap")]
    pub fn with_cli_args(mut self, args: &LoomArgs) -> Self {
        self.args = args.clone();
        self
    }

    /// Builds only the compute side, beside a tokio runtime that the program owns.
    ///
    /// From then on, compute functions and free functions that are called on the tokio runtime's
    /// threads use this Loom runtime. If several Loom runtimes are beside one tokio runtime, they
    /// use the latest. Loom neither places nor ends the tokio runtime's workers, so `pin`, `cpuset`
    /// and `placement` apply to compute threads only. The compute threads end when the last handle
    /// is dropped. `tokio_threads` and `tokio_flavor` must not be set.
    ///
    /// ```
    /// #[tokio::main]
    /// async fn main() -> loom::Result<()> {
    ///     let host = tokio::runtime::Handle::current();
    ///     let runtime = loom::LoomBuilder::new().beside(host).rayon_threads(1).build()?;
    ///     let name = loom::spawn_compute(|| std::thread::current().name().map(str::to_owned));
    ///     assert!(name.await.is_some_and(|name| name.starts_with("loom-")));
    ///     assert_eq!(runtime.rayon_threads(), 1);
    ///     Ok(())
    /// }
    /// ```
    pub fn beside(mut self, host: Handle) -> Self {
        self.host = Some(host);
        self
    }
}
