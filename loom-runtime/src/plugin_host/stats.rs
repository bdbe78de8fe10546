//! The statistics of one plug-in, for people and programs to read.

use std::fmt;

/// The statistics of one plug-in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginStats {
    /// The plug-in's name.
    pub name: String,
    /// Its tasks, blocking functions and compute calls that have not ended. A task of
    /// `loom::spawn_async` counts twice, because a second task on the plug-in's tokio goes with
    /// it.
    pub tasks: usize,
    /// Tasks that it has spawned on this runtime.
    pub spawned: u64,
    /// Compute calls that have not ended, including calls on the host's own pool
    /// (`Host::compute`).
    pub compute_calls: usize,
    /// Compute calls that have ended.
    pub computed: u64,
    /// Tasks and compute calls that panicked.
    pub panicked: u64,
    /// Threads that were started for it and have not ended.
    pub threads: usize,
}

impl fmt::Display for PluginStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, tasks, spawned, compute_calls, computed, panicked, threads } = self;
        write!(
            f,
            "{name}: {tasks} running, {compute_calls} of them compute calls; {spawned} tasks \
             spawned, {computed} calls done, {panicked} panics; {threads} threads"
        )
    }
}
