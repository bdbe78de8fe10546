//! Where threads really are, for people and programs to read.

use crate::topology::{Role, ThreadPlacement};

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadRole {
    /// Drives async tasks.
    Io,
    /// Runs compute calls.
    Compute,
    /// A local core.
    Local,
}

/// One thread, and what the system really gave it at its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadReport {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: ThreadRole,
    /// The CPUs it may run on, read back.
    pub cpus: Vec<usize>,
    /// Whether it runs only where no thread of normal priority wants to (`SCHED_IDLE`),
    /// read back.
    pub is_idle_class: bool,
    /// Its nice value, read back.
    pub nice: i32,
    /// What the system answered where it refused the CPUs or the class of the plan.
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
            cpus: placement.cpus.as_slice().to_vec(),
            is_idle_class: placement.class.is_idle,
            nice: placement.class.nice,
            refusals: refusals
                .into_iter()
                .filter_map(|(what, error)| Some(format!("{what} refused: {}", error.as_ref()?)))
                .collect(),
        }
    }
}
