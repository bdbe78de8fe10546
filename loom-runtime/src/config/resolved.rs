//! The settings that a runtime was built with.

use std::fmt;
use std::time::Duration;

use crate::error::Source;
use crate::scheduler::{CalibrationConfig, MabKnobs};
use crate::topology::{ComputePriority, Pin, Placement};

use super::tuning::{self, Tuning};
use super::words::TokioFlavor;

/// What a runtime was built with, defaults filled in, and where each value came from.
///
/// What the system really granted is in [`LoomRuntime`](crate::LoomRuntime)'s `Display`,
/// in [`threads`](crate::LoomRuntime::threads) and its neighbours.
///
/// ```
/// use loom::{LoomBuilder, Source};
///
/// let runtime = LoomBuilder::new().rayon_threads(3).build()?;
/// let config = runtime.config();
/// assert_eq!(config.rayon_threads, 3);
/// assert_eq!(config.source("rayon_threads"), Some(&Source::Code));
/// assert_eq!(config.source("prefix"), Some(&Source::Default));
/// assert!(config.to_string().contains("rayon_threads = 3 (set in code)"));
/// # Ok::<(), loom::LoomError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoomConfig {
    /// Threads are named `{prefix}-tokio-0000`, `{prefix}-rayon-0000`, `{prefix}-local-0000` and
    /// `{prefix}-blocking-0000`.
    pub prefix: String,
    /// How many I/O workers.
    pub tokio_threads: usize,
    /// How many compute threads.
    pub rayon_threads: usize,
    /// How many local cores; see [`loom::local`](crate::local).
    pub local_cores: usize,
    /// The CPUs that the runtime keeps to, as a list such as `0-3,8`: of those that were
    /// asked for, the ones that the process may use.
    pub cpuset: String,
    /// Whether threads are bound to CPUs.
    pub pin: Pin,
    /// How the two kinds of threads divide the CPUs.
    pub placement: Placement,
    /// The scheduling class asked for compute threads.
    pub compute_priority: ComputePriority,
    /// Which of tokio's runtimes drives async tasks.
    pub tokio_flavor: TokioFlavor,
    /// How many compute calls may wait before [`try_spawn_compute`](crate::try_spawn_compute)
    /// refuses more.
    pub compute_queue: usize,
    /// How long `#[loom::main]` waits after the body has returned, for tracked work and then,
    /// with what is left, for blocking functions.
    pub shutdown_timeout: Duration,
    /// Where learned costs are kept, if anywhere.
    pub profile: Option<String>,
    /// Thresholds and weights of the scheduler.
    pub mab_knobs: MabKnobs,
    /// Whether and how the way to the compute pool was measured at the start.
    pub calibration: CalibrationConfig,
    pub(crate) sources: Vec<(&'static str, Source)>,
}

impl LoomConfig {
    /// Where the value of a key came from, the keys being the names of the fields; nothing
    /// for a key there is not.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.sources.iter().find(|(name, _)| *name == key).map(|(_, source)| source)
    }
}

/// A line for each key: `key = value (source)`. Keys below `mab_knobs` and `calibration` are left
/// out where they are not set.
impl fmt::Display for LoomConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |(key, source): &&(&str, Source)| !key.contains('.') || *source != Source::Default;
        for (i, (key, source)) in self.sources.iter().filter(shown).enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{key} = ")?;
            match *key {
                "prefix" => write!(f, "{}", self.prefix)?,
                "tokio_threads" => write!(f, "{}", self.tokio_threads)?,
                "rayon_threads" => write!(f, "{}", self.rayon_threads)?,
                "local_cores" => write!(f, "{}", self.local_cores)?,
                "cpuset" => write!(f, "{}", self.cpuset)?,
                "pin" => write!(f, "{}", self.pin)?,
                "placement" => write!(f, "{}", self.placement)?,
                "compute_priority" => write!(f, "{}", self.compute_priority)?,
                "tokio_flavor" => write!(f, "{}", self.tokio_flavor)?,
                "compute_queue" => write!(f, "{}", self.compute_queue)?,
                "profile" => f.write_str(self.profile.as_deref().unwrap_or("none"))?,
                "shutdown_timeout" => {
                    write!(f, "{}", humantime::format_duration(self.shutdown_timeout))?;
                }
                key => {
                    let (knobs, calibration) = (self.mab_knobs, self.calibration);
                    f.write_str(&tuning::value(key, &Tuning { knobs, calibration }))?;
                }
            }
            write!(f, " ({source})")?;
        }
        Ok(())
    }
}
