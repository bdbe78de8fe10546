//! The settings of placement, and the words for them in configuration files and macro arguments.

use std::fmt;

/// How I/O and compute threads divide the CPUs of the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// I/O workers and compute threads may run on every CPU.
    /// Together with [`ComputePriority::Auto`], this keeps the whole machine busy, and an I/O
    /// worker that wakes gets a CPU at once.
    #[default]
    Shared,
    /// I/O threads and compute threads use different CPUs, and each is bound to its own. This needs
    /// two or more CPUs and no quota below their number; otherwise they share the CPUs, as with
    /// `pin` set to false.
    Split,
}

/// The scheduling class of compute threads. Each thread sets it for itself when it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputePriority {
    /// [`Idle`](Self::Idle) while compute work gets to run, and [`Normal`](Self::Normal) while
    /// other threads, of this process or another one, take the CPU time.
    ///
    /// Loom looks five to ten times a second while there is compute work. A compute thread that was
    /// ready to run for half a second and got less than a fifth of a CPU makes compute work go on in
    /// a second pool, whose threads have normal priority; it has as many threads as the first, and
    /// is started then. Calls that run already stay where they are. Compute work goes back after a
    /// second in which a fifth of the budget's CPU time was unused, or threads other than compute
    /// threads used less than a quarter of it; at the earliest after 2 s. Each time that it starves
    /// again within 10 s, that time doubles, up to a minute. Every change prints a line on standard
    /// error, and [`LoomRuntime::priority_changes`](crate::LoomRuntime::priority_changes) counts
    /// them.
    ///
    /// Two processes that both compute without a pause are neighbours to each other: once both are
    /// at normal priority, each keeps the other there until one of them pauses.
    ///
    /// Linux only; elsewhere the same as [`Normal`](Self::Normal). A plug-in's compute threads stay
    /// in the idle class.
    #[default]
    Auto,
    /// `SCHED_IDLE`: a compute thread runs only on a CPU that no thread of normal priority wants.
    /// Needs no privilege. Linux only; elsewhere the same as [`ComputePriority::Normal`].
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
    /// Bind to one CPU only local cores and the threads of [`Placement::Split`]. Other threads may
    /// use all CPUs of the budget, as without Loom, with two restrictions: on a machine with
    /// several memory nodes a thread stays on one node, and I/O workers do not use the CPUs of
    /// local cores. Under a CPU quota below the number of CPUs, no thread is bound to one CPU. Where
    /// the system refuses, threads run unbound.
    #[default]
    Auto,
    /// As [`Auto`](Self::Auto), and also bind each I/O worker to one physical core: to one of its
    /// CPUs, and to those of the others that no other worker needs. Workers share CPUs if there are
    /// more workers than CPUs. They are not bound under a quota, nor if local cores take every CPU.
    /// This suits a machine that the process has for itself: a bound worker cannot leave a CPU that
    /// another process takes, and what it starts inherits its CPUs.
    Yes,
    /// Leave every thread to the system's scheduler.
    No,
    /// As [`Yes`](Self::Yes), but where the system refuses, [`build`](crate::LoomBuilder::build)
    /// fails.
    Required,
}

/// How rayon's global pool is built: the pool of parallel iterators outside of compute calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GlobalRayon {
    /// As the program would have it without Loom: a thread for each CPU of the budget, of normal
    /// priority, on every CPU. Rayon builds it at its first use. Before the first call runs on a
    /// compute thread of the idle class, Loom builds it if it does not exist: threads that code on
    /// such a thread starts would inherit the class. A program that builds it itself
    /// (`build_global`) has to do so before its first compute call.
    #[default]
    Plain,
    /// The runtime builds it when it starts, with the CPUs and the priority of compute threads. So
    /// parallel iterators anywhere stay out of the way of I/O, and wait for neighbours of normal
    /// priority. If the pool exists already, it is left as it is, and a warning says so.
    IoFirst,
}

impl fmt::Display for GlobalRayon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::IoFirst => "io_first",
        })
    }
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

impl ComputePriority {
    /// The class of compute threads when a runtime starts.
    pub(crate) fn at_start(self) -> Self {
        if self == Self::Auto { Self::Idle } else { self }
    }
}

impl fmt::Display for ComputePriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Idle => "idle",
            Self::Nice => "nice",
            Self::Normal => "normal",
        })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Yes => "true",
            Self::No => "false",
            Self::Required => "required",
        })
    }
}
