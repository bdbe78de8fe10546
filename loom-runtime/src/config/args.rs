//! Settings from the command line, for a program to flatten into its own arguments.

#[cfg(feature = "config-files")]
use std::path::PathBuf;

use crate::error::Result;

#[cfg(feature = "fleet")]
use super::fleet::FleetUrl;
use super::settings::Settings;
use super::words::Raw;
use crate::error::Source;

/// Arguments such as `--loom-tokio-threads 4`, for `#[command(flatten)]`.
///
/// They win over every other source; see
/// [`with_cli_args`](crate::LoomBuilder::with_cli_args).
///
/// ```
/// use clap::Parser;
/// use loom::{LoomArgs, LoomBuilder};
///
/// #[derive(Parser)]
/// struct Args {
///     #[command(flatten)]
///     loom: LoomArgs,
/// }
///
/// let args = Args::parse_from(["shop", "--loom-rayon-threads", "3"]);
/// let runtime = LoomBuilder::new().rayon_threads(1).with_cli_args(&args.loom).build()?;
/// assert_eq!(runtime.rayon_threads(), 3);
/// # Ok::<(), loom::LoomError>(())
/// ```
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Runtime")]
#[non_exhaustive]
pub struct LoomArgs {
    /// The first part of every thread's name
    #[arg(long, value_name = "NAME")]
    pub loom_prefix: Option<String>,

    /// The number of I/O workers, 1 to 8192
    #[arg(long, value_name = "N")]
    pub loom_tokio_threads: Option<usize>,

    /// The number of compute threads, 1 to 8192
    #[arg(long, value_name = "N")]
    pub loom_rayon_threads: Option<usize>,

    /// The number of local cores, 0 to 1024
    #[arg(long, value_name = "N")]
    pub loom_local_cores: Option<usize>,

    /// The CPUs that the runtime may use, such as 0-3,8
    #[arg(long, value_name = "LIST")]
    pub loom_cpuset: Option<String>,

    /// Whether threads are bound to CPUs: auto, true, false or required
    #[arg(long, value_name = "WORD")]
    pub loom_pin: Option<String>,

    /// How I/O and compute threads divide the CPUs: shared or split
    #[arg(long, value_name = "WORD")]
    pub loom_placement: Option<String>,

    /// The priority of compute threads: auto, idle, nice or normal
    #[arg(long, value_name = "WORD")]
    pub loom_compute_priority: Option<String>,

    /// Rayon's global pool: plain, as without Loom, or `io_first`
    #[arg(long, value_name = "WORD")]
    pub loom_global_rayon: Option<String>,

    /// The stack of each thread, such as 8MiB
    #[arg(long, value_name = "BYTES")]
    pub loom_stack_size: Option<String>,

    /// How many compute threads may wait at a time, 1 to 1024
    #[arg(long, value_name = "N")]
    pub loom_max_spares: Option<usize>,

    /// The kind of tokio runtime: `multi_thread` or `current_thread`
    #[arg(long, value_name = "WORD")]
    pub loom_tokio_flavor: Option<String>,

    /// How many compute calls may wait, 1 to 16777216
    #[arg(long, value_name = "N")]
    pub loom_compute_queue: Option<usize>,

    /// From when on a poll counts as slow, such as 1ms, or off
    #[arg(long, value_name = "TIME")]
    pub loom_slow_poll: Option<String>,

    /// How long to wait for running work at the end, such as 5s
    #[arg(long, value_name = "TIME")]
    pub loom_shutdown_timeout: Option<String>,

    /// The file for learned costs
    #[arg(long, value_name = "FILE")]
    pub loom_profile: Option<String>,

    /// Overrides of functions, such as `shop::shrink=offload,*=adaptive`
    #[arg(long, value_name = "LIST")]
    pub loom_functions: Option<String>,

    /// Where the fleet is, such as `nats://host:4222`
    #[arg(long, value_name = "URL")]
    #[cfg(feature = "fleet")]
    pub loom_fleet_url: Option<FleetUrl>,

    /// A file that proves to the fleet who this process is
    #[arg(long, value_name = "FILE")]
    #[cfg(feature = "fleet")]
    pub loom_fleet_credentials: Option<String>,

    /// The fleet's name
    #[arg(long, value_name = "NAME")]
    #[cfg(feature = "fleet")]
    pub loom_fleet_name: Option<String>,

    /// The part in the fleet: caller, worker (both) or `only_worker`
    #[arg(long, value_name = "WORD")]
    #[cfg(feature = "fleet")]
    pub loom_fleet_role: Option<String>,

    /// Whether the fleet takes what would go to the compute pool: true or false
    #[arg(long, value_name = "WORD")]
    #[cfg(feature = "fleet")]
    pub loom_fleet_preferred: Option<String>,

    /// How many calls of others a worker has at a time, 1 to 65536
    #[arg(long, value_name = "N")]
    #[cfg(feature = "fleet")]
    pub loom_fleet_most_calls: Option<usize>,

    /// How long a far call may take, such as 30s
    #[arg(long, value_name = "TIME")]
    #[cfg(feature = "fleet")]
    pub loom_fleet_time_limit: Option<String>,

    /// How long a worker that has a call may be silent, such as 1s
    #[arg(long, value_name = "TIME")]
    #[cfg(feature = "fleet")]
    pub loom_fleet_lost_after: Option<String>,

    /// A configuration file (TOML, YAML or JSON), which wins over the program's files and variables
    #[arg(long, value_name = "FILE")]
    #[cfg(feature = "config-files")]
    pub loom_config: Option<PathBuf>,
}

impl LoomArgs {
    /// The arguments that were given, as settings.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let number = |n: &Option<usize>| n.map(|n| Raw::Integer(n as i128));
        let text = |text: &Option<String>| text.clone().map(Raw::Text);
        let mut settings = Settings::default();
        for (key, raw) in [
            ("prefix", text(&self.loom_prefix)),
            ("tokio_threads", number(&self.loom_tokio_threads)),
            ("rayon_threads", number(&self.loom_rayon_threads)),
            ("local_cores", number(&self.loom_local_cores)),
            ("cpuset", text(&self.loom_cpuset)),
            ("pin", text(&self.loom_pin)),
            ("placement", text(&self.loom_placement)),
            ("compute_priority", text(&self.loom_compute_priority)),
            ("global_rayon", text(&self.loom_global_rayon)),
            ("stack_size", text(&self.loom_stack_size)),
            ("max_spares", number(&self.loom_max_spares)),
            ("tokio_flavor", text(&self.loom_tokio_flavor)),
            ("compute_queue", number(&self.loom_compute_queue)),
            ("slow_poll", text(&self.loom_slow_poll)),
            ("shutdown_timeout", text(&self.loom_shutdown_timeout)),
            ("profile", text(&self.loom_profile)),
            ("functions", text(&self.loom_functions)),
            #[cfg(feature = "fleet")]
            ("fleet.url", self.loom_fleet_url.clone().map(|url| Raw::Text(url.into()))),
            #[cfg(feature = "fleet")]
            ("fleet.credentials", text(&self.loom_fleet_credentials)),
            #[cfg(feature = "fleet")]
            ("fleet.name", text(&self.loom_fleet_name)),
            #[cfg(feature = "fleet")]
            ("fleet.role", text(&self.loom_fleet_role)),
            #[cfg(feature = "fleet")]
            ("fleet.preferred", text(&self.loom_fleet_preferred)),
            #[cfg(feature = "fleet")]
            ("fleet.most_calls", number(&self.loom_fleet_most_calls)),
            #[cfg(feature = "fleet")]
            ("fleet.time_limit", text(&self.loom_fleet_time_limit)),
            #[cfg(feature = "fleet")]
            ("fleet.lost_after", text(&self.loom_fleet_lost_after)),
        ] {
            if let Some(raw) = raw {
                let argument = format!("--loom-{}", key.replace(['_', '.'], "-"));
                settings.set(key, &raw, &Source::Argument(argument))?;
            }
        }
        Ok(settings)
    }
}
