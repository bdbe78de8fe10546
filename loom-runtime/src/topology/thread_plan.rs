//! The plan for a thread, and its placement: the CPUs and the class that it should have, and those
//! that it has.

use std::io;

use super::os::{self, Class};
use super::{ComputePriority, CoreBudget, CpuSet, own_idle};

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Io,
    Compute,
    Local,
    Blocking,
}

/// The CPUs and the class planned for one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThreadPlan {
    /// `None` if the thread keeps its mask.
    pub(crate) cpus: Option<CpuSet>,
    pub(crate) priority: ComputePriority,
}

/// The plan for one thread, and what the thread really got, as read back from the system.
#[derive(Debug)]
pub(crate) struct ThreadPlacement {
    pub(crate) role: Role,
    pub(crate) name: String,
    /// The system's thread id, where the system has one.
    pub(crate) id: Option<u32>,
    pub(crate) thread_plan: ThreadPlan,
    /// At the start of the thread.
    pub(crate) cpus: CpuSet,
    pub(crate) class: Class,
    /// The error, if the system refused the CPUs.
    pub(crate) refused: Option<io::Error>,
    /// The error, if the system refused the class.
    pub(crate) class_refused: Option<io::Error>,
}

impl ThreadPlacement {
    /// The CPUs that the thread has now: those at its start, unless the CPU set of the control group
    /// or somebody outside has changed them since. While a drainer moves to
    /// another CPU, its mask has that CPU alone.
    pub(crate) fn cpus_now(&self) -> CpuSet {
        self.id.and_then(os::affinity_of).unwrap_or_else(|| self.cpus.clone())
    }

    /// Applies a plan to the calling thread, as far as the system allows, and reads back what the
    /// thread got.
    pub(crate) fn apply(
        role: Role,
        name: String,
        thread_plan: &ThreadPlan,
        budget: &CoreBudget,
    ) -> Self {
        // A mask that the thread has already is not set: the system then widens it with the CPU set
        // of the control group, which it does not do for a mask that was set.
        let wanted = thread_plan.cpus.as_ref();
        let wanted = wanted.filter(|cpus| os::affinity().map_or(true, |own| own != **cpus));
        let refused = wanted.and_then(|cpus| os::set_affinity(cpus).err());
        let id = os::thread_id();
        if thread_plan.priority == ComputePriority::Idle {
            // Before the thread has the class, so that it is never taken for another one's.
            own_idle::register(id);
        }
        let class_refused = os::set_priority(thread_plan.priority).err();
        Self {
            role,
            name,
            id,
            thread_plan: thread_plan.clone(),
            cpus: os::affinity().unwrap_or_else(|_| budget.cpus.clone()),
            class: os::class(),
            refused,
            class_refused,
        }
    }
}
