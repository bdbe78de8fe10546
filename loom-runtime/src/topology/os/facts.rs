//! What the system reports about a thread or a CPU.

use std::fmt;

use crate::topology::ComputePriority;

/// The scheduling class and the nice values of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// The class is `SCHED_IDLE`; the nice value then means little.
    pub(crate) is_idle: bool,
    pub(crate) nice: i32,
    /// The nice value of the process.
    pub(crate) base_nice: i32,
}

impl Class {
    /// Whether this is the class that `wanted` asks for.
    pub(crate) fn is(self, wanted: ComputePriority) -> bool {
        match wanted {
            ComputePriority::Idle | ComputePriority::Auto => self.is_idle,
            ComputePriority::Nice => !self.is_idle && self.nice > self.base_nice,
            ComputePriority::Normal => !self.is_idle && self.nice <= self.base_nice,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { is_idle: true, .. } => f.write_str("idle priority"),
            Self { nice: 0, .. } => f.write_str("normal priority"),
            Self { nice, .. } => write!(f, "nice {nice}"),
        }
    }
}

/// What one CPU did since the system started, in clock ticks: busy for any process, and in total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuTicks {
    pub(crate) cpu: usize,
    pub(crate) busy: u64,
    pub(crate) all: u64,
}
