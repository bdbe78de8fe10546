//! What the system says of a thread or a CPU.

use std::fmt;
use std::time::Duration;

use crate::topology::ComputePriority;

/// How urgently the system runs a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// Of `SCHED_IDLE`; the nice value means little then.
    pub(crate) is_idle: bool,
    pub(crate) nice: i32,
    /// The nice value of the process.
    pub(crate) base_nice: i32,
}

impl Class {
    /// Whether a thread of this class yields as was asked for, and no more.
    pub(crate) fn is(self, wanted: ComputePriority) -> bool {
        match wanted {
            ComputePriority::Idle => self.is_idle,
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

/// What a thread did, as the system counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeOnCpu {
    pub(crate) nanos: u64,
    /// Ready to run, or running.
    pub(crate) is_runnable: bool,
    /// Nanoseconds that it was ready to run, and something else ran.
    pub(crate) waited: u64,
    /// Where it ran last.
    pub(crate) cpu: Option<usize>,
}

/// What one CPU did since the system started, in clock ticks: of everybody, and altogether.
#[cfg(feature = "dashboard")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuTicks {
    pub(crate) cpu: usize,
    pub(crate) busy: u64,
    pub(crate) all: u64,
}

impl TimeOnCpu {
    /// How much it ran since then.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }
}
