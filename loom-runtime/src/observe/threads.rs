//! Reports about threads: the CPUs and the class that they really have.

use crate::threads::inherited::{self, Kind};
use crate::topology::{Role, ThreadPlacement};

/// Threads or child processes of one name that inherited the idle class; see
/// [`LoomRuntime::inherited_idle`](crate::LoomRuntime::inherited_idle).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InheritedIdle {
    /// The name of the threads, or of the program; the system keeps 15 bytes of it.
    pub name: String,
    /// Whether these are child processes.
    pub is_process: bool,
    /// How many were found.
    pub count: u64,
}

impl InheritedIdle {
    pub(crate) fn all() -> Vec<Self> {
        let mut all: Vec<_> = inherited::found()
            .into_iter()
            .map(|(name, kind, count)| Self { name, is_process: kind == Kind::Process, count })
            .collect();
        all.sort_by_key(|one| one.is_process);
        all
    }
}

/// The purpose of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadRole {
    /// Drives async tasks.
    Io,
    /// Runs compute calls.
    Compute,
    /// Is a local core.
    Local,
}

/// One thread, with the CPUs that it really has, and the class that it had at its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadReport {
    /// The thread's name.
    pub name: String,
    /// The thread's purpose.
    pub role: ThreadRole,
    /// The CPUs that the thread may run on, as the system reported them.
    pub cpus: Vec<usize>,
    /// Whether the thread runs only on CPUs that no thread of normal priority wants (`SCHED_IDLE`),
    /// as the system reported it.
    pub is_idle_class: bool,
    /// The thread's nice value, as the system reported it.
    pub nice: i32,
    /// The system's errors, if it refused the CPUs or the class of the plan.
    pub refusals: Vec<String>,
}

impl From<&ThreadPlacement> for ThreadReport {
    fn from(placement: &ThreadPlacement) -> Self {
        let refusals = [("pinning", &placement.refused), ("priority", &placement.class_refused)];
        Self {
            name: placement.name.clone(),
            role: match placement.role {
                Role::Compute => ThreadRole::Compute,
                Role::Local => ThreadRole::Local,
                Role::Io | Role::Blocking => ThreadRole::Io,
            },
            cpus: placement.cpus_now().as_slice().to_vec(),
            is_idle_class: placement.class.is_idle,
            nice: placement.class.nice,
            refusals: refusals
                .into_iter()
                .filter_map(|(what, error)| Some(format!("{what} refused: {}", error.as_ref()?)))
                .collect(),
        }
    }
}
