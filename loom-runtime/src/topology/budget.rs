//! The core budget: the CPUs and the CPU time that the process may really use.

use std::num::NonZero;
use std::path::Path;
use std::thread::available_parallelism;

use super::machine::{Cpu, Machine, number_threads};
use super::{CpuSet, os};
use crate::sync::OnceLock;

/// The CPUs of the process, and how many of them it may keep busy at once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CoreBudget {
    /// Numbered from 0 if the system does not report them.
    pub(crate) cpus: CpuSet,
    /// How many threads can run at once: the number of CPUs, capped by the control group's quota.
    pub(crate) parallelism: usize,
    /// The control group's quota, in CPU time per wall time.
    pub(crate) quota: Option<f64>,
    /// The CPUs, with their cores, caches and nodes.
    pub(crate) layout: Vec<Cpu>,
    /// Whether a setting has narrowed the CPUs down.
    pub(crate) is_narrowed: bool,
}

impl CoreBudget {
    /// The budget of the process; the calling thread does not matter.
    ///
    /// Linux has a mask for each thread, and none for the process. The budget starts from the mask
    /// of the thread that calls this first, or from the main thread's mask where that is wider. So
    /// a runtime that is built on a pinned thread may use all CPUs that the process may use.
    pub(crate) fn discover() -> Self {
        static FIRST: OnceLock<CpuSet> = OnceLock::new();
        let mask = FIRST.get_or_init(|| {
            let own = os::affinity().unwrap_or_default();
            let main = os::affinity_of_main_thread().unwrap_or_default();
            let known = if own.is_subset(&main) { main } else { own };
            if known.is_empty() { (0..parallelism()).collect() } else { known }
        });
        // Miri warns of each file of the system that is read.
        let machine = if cfg!(all(target_os = "linux", not(miri))) {
            Machine::read(Path::new("/"), mask)
        } else {
            Machine::flat(mask, None)
        };
        Self::of(&machine)
    }

    /// The budget of a machine.
    ///
    /// A quota is rounded down to whole CPUs, but to at least one. It is not rounded up, since
    /// threads that together use more than their quota are all stopped for the rest of the period,
    /// I/O threads included.
    pub(crate) fn of(machine: &Machine) -> Self {
        let cpus: CpuSet = machine.cpus.iter().map(|cpu| cpu.id).collect();
        let parallelism = Self::parallelism_of(cpus.len(), machine.quota);
        let layout = machine.cpus.clone();
        Self { cpus, parallelism, quota: machine.quota, layout, is_narrowed: false }
    }

    /// How many threads can run at once on so many CPUs.
    pub(crate) fn parallelism_of(cpus: usize, quota: Option<f64>) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a quota is positive, and one beyond all CPUs is no bound"
        )]
        match quota {
            Some(quota) => (quota as usize).clamp(1, cpus.max(1)),
            None => cpus.max(1),
        }
    }

    /// The part of the budget that is in `cpus`, or `None` if that is empty.
    pub(crate) fn within(self, cpus: &CpuSet) -> Option<Self> {
        let mut layout = self.layout;
        layout.retain(|cpu| cpus.contains(cpu.id));
        number_threads(&mut layout);
        let machine = Machine { cpus: layout, quota: self.quota };
        (!machine.cpus.is_empty()).then(|| Self { is_narrowed: true, ..Self::of(&machine) })
    }

    /// Whether a quota allows less than the CPUs could do.
    ///
    /// Other groups then use the same CPUs, and a thread that is pinned to one of them could wait
    /// for another group's thread while another CPU is free.
    pub(crate) fn is_capped(&self) -> bool {
        self.parallelism < self.cpus.len()
    }
}

fn parallelism() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::{CoreBudget, CpuSet, Machine};

    fn budget(cpus: usize, quota: Option<f64>) -> CoreBudget {
        CoreBudget::of(&Machine::flat(&(0..cpus).collect(), quota))
    }

    #[test]
    fn a_quota_counts_in_whole_cpus_and_at_least_one() {
        for (cpus, quota, parallelism) in [
            (8, None, 8),
            (8, Some(3.5), 3),
            (8, Some(0.1), 1),
            (8, Some(1.0), 1),
            (8, Some(8.0), 8),
            (8, Some(1e300), 8),
            (1, Some(0.5), 1),
            (4096, None, 4096),
        ] {
            let budget = budget(cpus, quota);
            assert_eq!(budget.parallelism, parallelism, "{cpus} CPUs, {quota:?}");
            assert_eq!(budget.is_capped(), parallelism < cpus);
        }
    }

    #[test]
    fn a_narrower_set_keeps_the_quota() {
        let part = CpuSet::parse("2-3,9").expect("a list");
        let budget = budget(8, Some(1.5)).within(&part).expect("two CPUs are left");
        assert_eq!((budget.cpus.to_string(), budget.parallelism), ("2-3".to_owned(), 1));
        assert_eq!(budget.within(&CpuSet::parse("0-1").expect("a list")), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pinned_thread_finds_the_budget_of_the_process() {
        let whole = CoreBudget::discover();
        let last = whole.cpus.as_slice().last().copied().into_iter().collect();
        let found = crate::sync::thread::spawn(move || {
            super::os::set_affinity(&last).expect("a part of the own mask is allowed");
            CoreBudget::discover()
        });
        assert_eq!(found.join().expect("it does not panic"), whole);
    }
}
