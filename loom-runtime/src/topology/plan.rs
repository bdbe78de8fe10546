//! The placement plan: a pure function of the core budget and what was asked for.

use std::fmt;
use std::io;

use super::{CoreBudget, CpuSet, os};

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
    /// A nice value of 10: a tenth of the share of a thread at nice 0 under contention.
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

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Io,
    Compute,
    Blocking,
}

/// What the settings ask for; thread counts are chosen where none is given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Request {
    pub(crate) io_threads: Option<usize>,
    pub(crate) compute_threads: Option<usize>,
    pub(crate) placement: Placement,
    pub(crate) compute_priority: ComputePriority,
    pub(crate) pin: Pin,
}

/// Where one thread should be: its CPUs (none: left alone) and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) cpus: Option<CpuSet>,
    pub(crate) priority: ComputePriority,
}

/// A seat for every thread.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) budget: CoreBudget,
    pub(crate) placement: Placement,
    pub(crate) io: Vec<Seat>,
    pub(crate) compute: Vec<Seat>,
    /// For the threads tokio starts for blocking work: the whole budget, whichever
    /// worker's narrower mask they would inherit.
    pub(crate) blocking: Seat,
}

impl Plan {
    pub(crate) fn new(budget: CoreBudget, request: Request) -> Self {
        let n = budget.parallelism;
        let (io_default, compute_default) = match request.placement {
            Placement::Shared => (n, n),
            Placement::Split => (1, n.saturating_sub(1).max(1)),
        };
        let io_threads = request.io_threads.unwrap_or(io_default);
        let compute_threads = request.compute_threads.unwrap_or(compute_default);

        let all = &budget.cpus;
        let pinned = request.pin != Pin::No;
        let one_each = pinned && !budget.is_capped();
        // The CPUs each side may use. Under a quota, and where there is only one CPU,
        // both sides share all of them.
        let (io_cpus, compute_cpus) = match request.placement {
            Placement::Split if one_each && all.len() > 1 => {
                let (io, compute) = all.as_slice().split_at(io_threads.min(all.len() - 1));
                (io.iter().copied().collect(), compute.iter().copied().collect())
            }
            _ => (all.clone(), all.clone()),
        };
        let seat = |cpus: &CpuSet, i: usize, alone: bool, priority| {
            let cpus = if alone && one_each {
                std::iter::once(cpus.as_slice()[i % cpus.len()]).collect()
            } else {
                cpus.clone()
            };
            Seat { cpus: pinned.then_some(cpus), priority }
        };
        let split = request.placement == Placement::Split;
        let io =
            (0..io_threads).map(|i| seat(&io_cpus, i, true, ComputePriority::Normal)).collect();
        let compute = (0..compute_threads)
            .map(|i| seat(&compute_cpus, i, split, request.compute_priority))
            .collect();
        let blocking = seat(all, 0, false, ComputePriority::Normal);
        Self { placement: request.placement, io, compute, blocking, budget }
    }
}

/// What a thread really got, read back from the system.
#[derive(Clone, Debug)]
pub(crate) struct Obtained {
    pub(crate) cpus: CpuSet,
    pub(crate) priority: ComputePriority,
}

/// One thread, where it should be and where it is.
#[derive(Debug)]
pub(crate) struct ThreadPlacement {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) seat: Seat,
    pub(crate) obtained: Obtained,
    /// The answer to the request for its CPUs, where that was no.
    pub(crate) refused: Option<io::Error>,
}

impl ThreadPlacement {
    /// Puts the calling thread on its seat, as far as the system allows, and reads back
    /// what it got.
    pub(crate) fn take(role: Role, name: String, seat: &Seat, budget: &CoreBudget) -> Self {
        let refused = match &seat.cpus {
            Some(cpus) => os::set_affinity(cpus).err(),
            None => None,
        };
        let cpus = os::affinity().unwrap_or_else(|_| budget.cpus.clone());
        let priority = os::set_priority(seat.priority);
        Self { role, name, seat: seat.clone(), obtained: Obtained { cpus, priority }, refused }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(cpus: usize, parallelism: usize) -> CoreBudget {
        CoreBudget { cpus: (0..cpus).collect(), parallelism }
    }

    fn masks(seats: &[Seat]) -> Vec<String> {
        seats
            .iter()
            .map(|s| s.cpus.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string))
            .collect()
    }

    #[test]
    fn sharing_gives_io_a_cpu_each_and_compute_all_of_them() {
        let plan = Plan::new(budget(4, 4), Request::default());
        assert_eq!(masks(&plan.io), ["0", "1", "2", "3"]);
        assert_eq!(masks(&plan.compute), ["0-3"; 4]);
        assert!(plan.compute.iter().all(|s| s.priority == ComputePriority::Idle));
        assert!(plan.io.iter().all(|s| s.priority == ComputePriority::Normal));
    }

    #[test]
    fn a_split_keeps_the_two_sides_apart() {
        let request = Request { placement: Placement::Split, ..Request::default() };
        let plan = Plan::new(budget(4, 4), request);
        assert_eq!(masks(&plan.io), ["0"]);
        assert_eq!(masks(&plan.compute), ["1", "2", "3"]);
    }

    #[test]
    fn one_cpu_gets_a_thread_of_each_kind_on_it() {
        for placement in [Placement::Shared, Placement::Split] {
            let request = Request { placement, ..Request::default() };
            let plan = Plan::new(budget(1, 1), request);
            assert_eq!((plan.io.len(), plan.compute.len()), (1, 1));
            assert_eq!(masks(&plan.io), ["0"]);
            assert_eq!(masks(&plan.compute), ["0"]);
        }
    }

    #[test]
    fn a_quota_caps_the_threads_and_leaves_every_cpu_open_to_them() {
        let plan = Plan::new(budget(64, 4), Request::default());
        assert_eq!((plan.io.len(), plan.compute.len()), (4, 4));
        assert_eq!(masks(&plan.io), ["0-63"; 4]);
    }

    #[test]
    fn more_threads_than_cpus_go_round() {
        let request = Request {
            io_threads: Some(3),
            compute_threads: Some(5),
            placement: Placement::Split,
            ..Request::default()
        };
        let plan = Plan::new(budget(2, 2), request);
        assert_eq!(masks(&plan.io), ["0", "0", "0"]);
        assert_eq!(masks(&plan.compute), ["1"; 5]);
    }

    #[test]
    fn without_pinning_no_seat_names_a_cpu() {
        let request = Request { pin: Pin::No, ..Request::default() };
        let plan = Plan::new(budget(2, 2), request);
        assert_eq!(masks(&plan.io), ["any", "any"]);
        assert_eq!(plan.blocking.cpus, None);
    }
}
