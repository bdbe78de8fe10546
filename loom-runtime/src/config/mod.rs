//! Configuration: the sources of settings, which source wins, and which values are allowed.
//!
//! Later sources win: defaults, attribute or builder, files, environment, command line. The author of a
//! program sets its defaults, and the person who runs it decides. Each value keeps its source, for errors
//! and for `LoomConfig::source`. This module starts no thread and
//! builds no runtime.

#[cfg(feature = "clap")]
mod args;
mod check;
mod environment;
#[cfg(feature = "config-files")]
mod file;
#[cfg(feature = "fleet")]
mod fleet;
mod functions;
mod possible;
mod resolved;
mod settings;
mod tuning;
mod words;

#[cfg(feature = "clap")]
pub use args::LoomArgs;
pub(crate) use environment::{from_environment, functions_of_environment};
#[cfg(feature = "config-files")]
pub(crate) use file::from_file;
#[cfg(feature = "fleet")]
pub use fleet::{FleetRole, FleetSettings, FleetUrl};
pub use functions::Override;
pub(crate) use functions::check_name;
pub(crate) use possible::{budget, check_beside, check_flavor, flavor_of, hold_time};
pub use resolved::LoomConfig;
pub(crate) use settings::{Given, Settings};
pub(crate) use tuning::Change;
pub use words::TokioFlavor;
pub(crate) use words::{Bytes, Calls, Cores, Limit, Spares, nearest};

/// How many compute calls may wait by default: about a second of work for 40 threads at 10 ms a
/// call.
pub(crate) const DEFAULT_COMPUTE_QUEUE: usize = 4096;
