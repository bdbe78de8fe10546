//! What a plug-in has and did, for people and programs to read.

use std::fmt;

/// What one plug-in has and did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginStats {
    /// Its name.
    pub name: String,
    /// Its tasks, blocking functions and compute calls that have not ended. A task that
    /// `loom::spawn_async` has spawned counts twice, since one of the plug-in's tokio stands for
    /// it.
    pub tasks: usize,
    /// Tasks that it has spawned on this runtime.
    pub spawned: u64,
    /// Compute calls that have not ended, those on the host's own pool (`Host::compute`) among
    /// them.
    pub compute_calls: usize,
    /// Compute calls that have.
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
            "{name}: {tasks} running, {compute_calls} of them compute calls; {spawned} tasks spawned, \
             {computed} calls done, {panicked} panics; {threads} threads"
        )
    }
}
