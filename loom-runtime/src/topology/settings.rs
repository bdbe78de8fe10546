//! The settings of placement, in the words that files and arguments use.

use std::fmt;

/// How I/O and compute threads divide the CPUs of the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// Compute threads may run on every CPU, I/O workers have one each.
    /// Together with [`ComputePriority::Idle`] this keeps the whole machine busy and lets
    /// a waking I/O worker take its CPU at once.
    #[default]
    Shared,
    /// I/O and compute threads have CPUs of their own, where there are two or more, no quota
    /// takes part of them away, and threads are pinned.
    Split,
}

/// The scheduling class of compute threads, which each sets for itself at its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputePriority {
    /// `SCHED_IDLE`: run only where no thread of normal priority wants to. Needs no
    /// privilege. Linux only; elsewhere the same as [`ComputePriority::Normal`].
    #[default]
    Idle,
    /// A nice value 10 above that of the process: a tenth of its share under contention.
    /// Linux only, as above.
    Nice,
    /// As every other thread.
    Normal,
}

/// Whether threads are bound to the CPUs of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pin {
    /// Bind them, and go on without where the system refuses.
    #[default]
    Yes,
    /// Leave every thread to the system's scheduler.
    No,
    /// Bind them, and make [`build`](crate::LoomBuilder::build) fail where the system refuses.
    Required,
}

impl From<bool> for Pin {
    fn from(pin: bool) -> Self {
        if pin { Self::Yes } else { Self::No }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Split => "split",
        })
    }
}

impl fmt::Display for ComputePriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Nice => "nice",
            Self::Normal => "normal",
        })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "true",
            Self::No => "false",
            Self::Required => "required",
        })
    }
}
