//! What a runtime says of itself: where its threads are, and what went wrong there.

use std::fmt;

use crate::topology::{Role, ThreadPlacement};

use super::handle::LoomRuntime;

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

impl LoomRuntime {
    /// The threads and where each really is, I/O workers first, then local cores.
    ///
    /// The workers of a current-thread runtime and of one that was given are not ours to
    /// place, and are left out. A line a thread is what `Display` prints.
    #[must_use]
    pub fn threads(&self) -> Vec<ThreadReport> {
        self.placements().map(ThreadReport::from).collect()
    }

    /// Tenths of a second in which a compute thread of the idle class had work and got no
    /// CPU, because threads of normal priority took all of it.
    ///
    /// Looked at ten times a second while there is work, on up to eight threads. A thread
    /// that starves for a second is told of on standard error, once.
    #[must_use]
    pub fn starvation_events(&self) -> u64 {
        self.core().counters.starved.count()
    }

    /// Threads of tokio's that inherited the idle class from a compute thread that started
    /// them, and could not leave it. Told of on standard error, once.
    #[must_use]
    pub fn demoted_threads(&self) -> u64 {
        self.core().counters.demoted.count()
    }

    /// How often blocking functions were seen to wait because the system refused a thread.
    /// Told of on standard error, once.
    #[must_use]
    pub fn refused_threads(&self) -> u64 {
        self.core().counters.threads_refused.count()
    }

    fn placements(&self) -> impl Iterator<Item = &ThreadPlacement> {
        let compute = self.core().compute_seats.get().into_iter().flatten();
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

/// The placement that was really obtained, a line a thread.
impl fmt::Display for LoomRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.core().plan;
        let budget = &plan.budget;
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
            budget.cpus,
            budget.parallelism,
        )?;
        if let Some(quota) = budget.quota {
            write!(f, ", quota {quota:.2}")?;
        }
        write!(f, "), {}", plan.placement)?;
        if let Some(why) = plan.undivided {
            write!(f, " (but undivided: {why})")?;
        }
        for placement in self.placements() {
            let ThreadPlacement { name, cpus, class, seat, .. } = placement;
            write!(f, "\n  {name}: CPUs {cpus}, {class}")?;
            if !class.is(seat.priority) {
                write!(f, " ({} was asked for)", seat.priority)?;
            }
            for refusal in ThreadReport::from(placement).refusals {
                write!(f, " ({refusal})")?;
            }
        }
        Ok(())
    }
}
