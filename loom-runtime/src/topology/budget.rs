//! The core budget: what the process may really use.

use std::num::NonZero;
use std::thread::available_parallelism;

use super::{CpuSet, os};

/// The CPUs of the process and how many of them it may keep busy at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreBudget {
    /// The affinity mask. Numbered from 0 where the system tells none.
    pub(crate) cpus: CpuSet,
    /// How many threads can run at once: the mask, capped by the control group's quota.
    pub(crate) parallelism: usize,
}

impl CoreBudget {
    /// The budget as the calling thread sees it.
    ///
    /// `available_parallelism` already takes the smaller of mask and quota, for both
    /// versions of control groups; the mask adds which CPUs these are.
    pub(crate) fn discover() -> Self {
        let parallelism = available_parallelism().map_or(1, NonZero::get);
        let cpus = os::affinity()
            .ok()
            .filter(|cpus| !cpus.is_empty())
            .unwrap_or_else(|| (0..parallelism).collect());
        let parallelism = parallelism.min(cpus.len());
        Self { cpus, parallelism }
    }

    /// Whether a quota leaves less than the mask holds.
    ///
    /// The CPUs are then shared with other groups, and holding a thread on one of them
    /// would make it wait for a neighbour while another CPU is free.
    pub(crate) fn is_capped(&self) -> bool {
        self.parallelism < self.cpus.len()
    }
}
