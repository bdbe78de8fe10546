//! The settings of placement, and the words for them in configuration files and macro arguments.

use std::fmt;

/// How I/O and compute threads divide the CPUs of the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// Compute threads may run on every CPU, and each I/O worker has one CPU.
    /// Together with [`ComputePriority::Idle`], this keeps the whole machine busy, and an I/O
    /// worker that wakes gets its CPU at once.
    #[default]
    Shared,
    /// I/O threads and compute threads use different CPUs. This needs two or more CPUs, no quota
    /// below their number, and pinned threads; otherwise they share the CPUs.
    Split,
}

/// The scheduling class of compute threads. Each thread sets it for itself when it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputePriority {
    /// `SCHED_IDLE`: a compute thread runs only on a CPU that no thread of normal priority wants.
    /// Needs no privilege. Linux only; elsewhere the same as [`ComputePriority::Normal`].
    #[default]
    Idle,
    /// A nice value 10 above the process's: under contention, a tenth of the CPU time that a thread
    /// of the process's own nice value gets. Linux only, as above.
    Nice,
    /// The same priority as every other thread.
    Normal,
}

/// Whether threads are bound to the CPUs of the plan.
///
/// On Linux, a thread may be bound to any set of CPUs. On Windows and macOS, a thread is bound to
/// one CPU or runs on all of the process's; on Windows, that CPU has to be in the first processor
/// group, and on macOS the binding is a hint, which Apple's own processors refuse. Other systems
/// bind nothing. [`LoomRuntime::threads`](crate::LoomRuntime::threads) shows what each thread got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pin {
    /// Bind threads; where the system refuses, they run unbound.
    #[default]
    Yes,
    /// Leave every thread to the system's scheduler.
    No,
    /// Bind threads; where the system refuses, [`build`](crate::LoomBuilder::build) fails.
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
