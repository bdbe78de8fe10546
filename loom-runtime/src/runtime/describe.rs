//! Reports about a runtime: where its threads run, and problems with them.

use std::fmt;

use crate::observe::{InheritedIdle, ThreadReport};
use crate::topology::ThreadPlacement;

use super::handle::LoomRuntime;

impl LoomRuntime {
    /// The threads, and the CPUs and class that each really has: I/O workers first, then local
    /// cores, then compute threads.
    ///
    /// Loom does not place the workers of a current-thread runtime or of a given tokio runtime, so
    /// these are left out. `Display` prints one line for each thread.
    #[must_use]
    pub fn threads(&self) -> Vec<ThreadReport> {
        self.placements().map(ThreadReport::from).collect()
    }

    /// How often a look found that a compute thread of the idle class had work and got no CPU,
    /// because threads of normal priority took all of it: one for each such thread.
    ///
    /// Loom looks at up to eight threads while there is work: five times a second, and ten times
    /// while a thread may starve. The first time that a thread starves for a second, Loom prints a
    /// warning on standard error.
    #[must_use]
    pub fn starvation_events(&self) -> u64 {
        self.core().counters.starved.count()
    }

    /// How often compute work left the idle class, or went back to it, because of what the CPUs
    /// were used for; see [`ComputePriority::Auto`](crate::ComputePriority::Auto). Where it began in
    /// the idle class, it is there while the number is even. Each change prints a line on standard
    /// error.
    ///
    /// Cost: the looks take some 0.1 % of a CPU or less while there is compute work
    /// (`loom-bench watch`).
    #[must_use]
    pub fn priority_changes(&self) -> u64 {
        self.core().counters.priority_changes.count()
    }

    /// How many tokio threads inherited the idle class from the compute thread that started them,
    /// and could not leave it. The first time, Loom prints a warning on standard error.
    #[must_use]
    pub fn demoted_threads(&self) -> u64 {
        self.core().counters.demoted.count()
    }

    /// Threads and child processes of this process that inherited the idle class from compute work
    /// of any runtime: by name, threads first, with how many were found. The first time, Loom
    /// prints a warning on standard error.
    ///
    /// Loom looks for them once a second while there is compute work, and counts what two looks in
    /// a row have found, so it misses those that live for less. Linux only; elsewhere there is no
    /// idle class. Cost: a system call for each thread of the process and look.
    #[must_use]
    pub fn inherited_idle(&self) -> Vec<InheritedIdle> {
        InheritedIdle::all()
    }

    /// How many spare threads there are: each takes the place of a compute thread that waits, or
    /// has done so in the last ten seconds; see
    /// [`max_spares`](crate::LoomBuilder::max_spares).
    #[must_use]
    pub fn spare_threads(&self) -> usize {
        self.core().spares.count()
    }

    /// How many checks found blocking functions waiting because the system refused a thread. The
    /// first time, Loom prints a warning on standard error.
    #[must_use]
    pub fn refused_threads(&self) -> u64 {
        self.core().counters.threads_refused.count()
    }

    fn placements(&self) -> impl Iterator<Item = &ThreadPlacement> {
        let compute = self.core().compute_placements.iter();
        self.inner.io.iter().chain(self.inner.local.placements()).chain(compute)
    }
}

impl fmt::Debug for LoomRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoomRuntime")
            .field("config", &self.inner.config)
            .field("compute_tasks_in_flight", &self.compute_tasks_in_flight())
            .field("tracked", &self.core().lifecycle.count())
            .finish_non_exhaustive()
    }
}

/// The placement that the threads really have, one line for each thread.
impl fmt::Display for LoomRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.core().plan;
        let allowed = self.core().live_budget.allowed();
        let local = match self.local_cores() {
            0 => String::new(),
            1 => " + 1 local core".to_owned(),
            n => format!(" + {n} local cores"),
        };
        write!(
            f,
            "loom runtime: {} I/O + {} compute threads{} on CPUs {} ({} at once",
            self.tokio_threads(),
            self.rayon_threads(),
            local,
            plan.budget.cpus,
            allowed.parallelism(),
        )?;
        if let Some(quota) = allowed.quota {
            write!(f, ", quota {quota:.2}")?;
        }
        write!(f, "), {}", plan.placement)?;
        if let Some(why) = plan.undivided {
            write!(f, " (but undivided: {why})")?;
        }
        for placement in self.placements() {
            let ThreadPlacement { name, class, thread_plan, .. } = placement;
            let cpus = placement.cpus_now();
            write!(f, "\n  {name}: CPUs {cpus}, {class}")?;
            if !class.is(thread_plan.priority) {
                write!(f, " ({} was asked for)", thread_plan.priority)?;
            }
            for refusal in ThreadReport::from(placement).refusals {
                write!(f, " ({refusal})")?;
            }
        }
        Ok(())
    }
}
