//! A thread's place: where it should be, and where it is.

use std::io;

use super::os::{self, Class};
use super::{ComputePriority, CoreBudget, CpuSet};

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Io,
    Compute,
    Local,
    Blocking,
}

/// Where one thread should be: its CPUs (none: left alone) and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThreadPlan {
    pub(crate) cpus: Option<CpuSet>,
    pub(crate) priority: ComputePriority,
}

/// One thread, where it should be and what it really got, read back from the system.
#[derive(Debug)]
pub(crate) struct ThreadPlacement {
    pub(crate) role: Role,
    pub(crate) name: String,
    /// The system's number of the thread, where it has one.
    pub(crate) id: Option<u32>,
    pub(crate) thread_plan: ThreadPlan,
    pub(crate) cpus: CpuSet,
    pub(crate) class: Class,
    /// The answer to the request for its CPUs, where that was no.
    pub(crate) refused: Option<io::Error>,
    /// The answer to the request for its class, likewise.
    pub(crate) class_refused: Option<io::Error>,
}

impl ThreadPlacement {
    /// Applies a plan to the calling thread, as far as the system allows, and reads back what the
    /// thread got.
    pub(crate) fn apply(
        role: Role,
        name: String,
        thread_plan: &ThreadPlan,
        budget: &CoreBudget,
    ) -> Self {
        let refused = thread_plan.cpus.as_ref().and_then(|cpus| os::set_affinity(cpus).err());
        let class_refused = os::set_priority(thread_plan.priority).err();
        Self {
            role,
            name,
            id: os::thread_id(),
            thread_plan: thread_plan.clone(),
            cpus: os::affinity().unwrap_or_else(|_| budget.cpus.clone()),
            class: os::class(),
            refused,
            class_refused,
        }
    }
}
