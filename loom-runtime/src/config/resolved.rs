//! The resolved settings of a runtime.

use std::fmt;
use std::time::Duration;

use crate::error::Source;
use crate::scheduler::{CalibrationConfig, MabKnobs};
use crate::topology::{ComputePriority, GlobalRayon, Pin, Placement};

#[cfg(feature = "fleet")]
use super::fleet::{self, FleetSettings};
use super::functions::Override;
use super::tuning::{self, Tuning};
use super::words::{Limit, TokioFlavor};

/// The settings that a runtime was built with, including defaults, and the source of each value.
///
/// To see what the system really granted, print the [`LoomRuntime`](crate::LoomRuntime) with
/// `Display`, or call [`threads`](crate::LoomRuntime::threads).
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
    /// The number of I/O workers.
    pub tokio_threads: usize,
    /// The number of compute threads.
    pub rayon_threads: usize,
    /// The number of local cores; see [`loom::local`](crate::local).
    pub local_cores: usize,
    /// The CPUs that the runtime uses, as a list such as `0-3,8`: the requested CPUs that the
    /// process may use.
    pub cpuset: String,
    /// Whether threads are bound to CPUs.
    pub pin: Pin,
    /// How I/O and compute threads divide the CPUs.
    pub placement: Placement,
    /// The requested scheduling class of compute threads.
    pub compute_priority: ComputePriority,
    /// How rayon's global pool is built.
    pub global_rayon: GlobalRayon,
    /// The stack of each thread, in bytes; `None` for the default of the standard library.
    pub stack_size: Option<usize>,
    /// How many compute threads may wait at a time, each with a spare in its place.
    pub max_spares: usize,
    /// Which kind of tokio runtime drives async tasks.
    pub tokio_flavor: TokioFlavor,
    /// How many compute calls may wait before [`try_spawn_compute`](crate::try_spawn_compute)
    /// refuses more.
    pub compute_queue: usize,
    /// The limit beyond which a poll counts as slow; `None` where polls are not watched.
    pub slow_poll: Option<Duration>,
    /// How long `#[loom::main]` waits after the body has returned: for tracked work and, in the
    /// time that remains, for blocking functions.
    pub shutdown_timeout: Duration,
    /// The file for learned costs, if there is one.
    pub profile: Option<String>,
    /// Overrides of functions at the start, by name; of those with one name the latest counts.
    pub functions: Vec<(String, Override)>,
    /// Thresholds and weights of the scheduler.
    pub mab_knobs: MabKnobs,
    /// Whether and how the overhead of the compute pool was measured at the start.
    pub calibration: CalibrationConfig,
    /// What was said of the fleet.
    #[cfg(feature = "fleet")]
    pub fleet: FleetSettings,
    pub(crate) sources: Vec<(&'static str, Source)>,
}

impl LoomConfig {
    /// The source of a key's value; `None` for an unknown key. The keys are the names of the fields, and
    /// those of the tables are `mab_knobs.k_starve`, `calibration.enabled`, `fleet.name` and so on. For `functions`
    /// it is the source of the latest override; earlier ones may have others.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.sources.iter().find(|(name, _)| *name == key).map(|(_, source)| source)
    }
}

/// One line for each key: `key = value (source)`. Keys below `mab_knobs`, `calibration` and `fleet` are left
/// out if they were not set.
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
                "global_rayon" => write!(f, "{}", self.global_rayon)?,
                "stack_size" => match self.stack_size {
                    Some(bytes) => write!(f, "{bytes}")?,
                    None => f.write_str("default")?,
                },
                "max_spares" => write!(f, "{}", self.max_spares)?,
                "tokio_flavor" => write!(f, "{}", self.tokio_flavor)?,
                "compute_queue" => write!(f, "{}", self.compute_queue)?,
                "slow_poll" => write!(f, "{}", Limit(self.slow_poll))?,
                "functions" if self.functions.is_empty() => f.write_str("none")?,
                "functions" => {
                    let all = self.functions.iter().map(|(name, over)| format!("{name}={over}"));
                    f.write_str(&all.collect::<Vec<_>>().join(","))?;
                }
                "profile" => f.write_str(self.profile.as_deref().unwrap_or("none"))?,
                "shutdown_timeout" => {
                    write!(f, "{}", humantime::format_duration(self.shutdown_timeout))?;
                }
                #[cfg(feature = "fleet")]
                key if key.starts_with("fleet.") => f.write_str(&fleet::value(key, &self.fleet))?,
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
