//! Settings, gathered from wherever they come and turned into a runtime.
//!
//! Owns the builder: its sources here, its settings in `settings`, and what becomes of them in
//! `build`. What a value may be is `config`'s.

mod build;
mod settings;

#[cfg(feature = "config-files")]
use std::path::PathBuf;

use tokio::runtime::Handle;

#[cfg(feature = "clap")]
use crate::config::LoomArgs;
use crate::config::Settings;
use crate::scheduler::Arm;
#[cfg(doc)]
use crate::{LoomRuntime, Placement};

/// Builds a [`LoomRuntime`].
///
/// Every setting has a default that suits a service alone on its machine or in its
/// container: one I/O worker and one compute thread for each CPU the process may really
/// use, compute threads at idle priority so that they never delay I/O.
///
/// Settings may come from several places. Later ones win, whatever the order of the method calls:
/// defaults, files in their order, environment, this builder, command line.
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
    code: Settings,
    #[cfg(feature = "clap")]
    args: LoomArgs,
    host: Option<Handle>,
    #[cfg(feature = "prometheus")]
    pub(super) registry: Option<prometheus::Registry>,
    /// Where adaptive functions run, in a test that says so.
    pub(super) forced: Option<Arm>,
    /// Whether a test holds the time.
    #[cfg(feature = "test-util")]
    start_paused: bool,
}

impl LoomBuilder {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings of `builder`, as defaults.
    pub(crate) fn with_defaults(builder: Self) -> Self {
        Self { defaults: builder.code.into_defaults(), ..Self::default() }
    }

    /// Reads settings from a file in TOML, YAML or JSON, recognised by its extension, when
    /// [`build`](Self::build) is called. The keys stand at its top level. A relative path is
    /// taken from the working directory at that time. May be called again: later files win.
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

    /// Reads settings from environment variables when [`build`](Self::build) is called:
    /// with `MYAPP`, `tokio_threads` from `MYAPP_TOKIO_THREADS`, and so on.
    ///
    /// Case counts. Other variables below the prefix are the program's own and left alone;
    /// one that is a letter or two off a setting, such as `MYAPP_TOKIO_THREAD`, is an error.
    pub fn env_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.env_prefix = Some(prefix.into());
        self
    }

    /// Settings from the command line, which win over all others; a file that is named there wins
    /// over all but the other arguments.
    #[cfg(feature = "clap")]
    pub fn with_cli_args(mut self, args: &LoomArgs) -> Self {
        self.args = args.clone();
        self
    }

    /// Builds the compute side alone, beside a tokio runtime that the program owns.
    ///
    /// Compute functions and free functions that are called on that runtime's threads use
    /// this one from then on; of several beside one runtime, the latest. Its workers are
    /// neither placed nor ended, so `pin`, `cpuset` and `placement` concern the compute
    /// threads alone; dropping the handles ends these. `tokio_threads` and `tokio_flavor`
    /// cannot be set then.
    ///
    /// ```
    /// #[tokio::main]
    /// async fn main() -> loom::Result<()> {
    ///     let host = tokio::runtime::Handle::current();
    ///     let runtime = loom::LoomBuilder::new().beside(host).rayon_threads(1).build()?;
    ///     let name = loom::spawn_compute(|| std::thread::current().name().map(str::to_owned));
    ///     assert_eq!(name.await.as_deref(), Some("loom-rayon-0000"));
    ///     assert_eq!(runtime.rayon_threads(), 1);
    ///     Ok(())
    /// }
    /// ```
    pub fn beside(mut self, host: Handle) -> Self {
        self.host = Some(host);
        self
    }
}
