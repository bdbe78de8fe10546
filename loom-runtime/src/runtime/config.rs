//! The resolved configuration of a runtime.

use std::time::Duration;

use crate::topology::{ComputePriority, Pin, Placement};

/// What a runtime was built with, defaults filled in.
///
/// What the system really granted is in [`LoomRuntime`](crate::LoomRuntime)'s `Display`,
/// and in [`tokio_cpus`](crate::LoomRuntime::tokio_cpus) and its neighbours.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoomConfig {
    /// Threads are named `{prefix}-tokio-0000`, `{prefix}-rayon-0000` and
    /// `{prefix}-blocking-0000`.
    pub prefix: String,
    /// How many I/O workers.
    pub tokio_threads: usize,
    /// How many compute threads.
    pub rayon_threads: usize,
    /// How the two divide the CPUs.
    pub placement: Placement,
    /// The scheduling class asked for compute threads.
    pub compute_priority: ComputePriority,
    /// Whether threads are bound to CPUs.
    pub pin: Pin,
    /// How long `#[loom::main]` waits for tracked work after the body has returned.
    pub shutdown_timeout: Duration,
}
