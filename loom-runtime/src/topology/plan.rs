//! The placement plan: a pure function of the core budget and the request.
//!
//! A thread that may move stays in one memory node. A thread that is bound to one CPU gets a
//! physical core first, and siblings of these cores only when all cores are taken. CPUs are used
//! one memory node after the other, and within a node one cache after the other, so threads with
//! adjacent numbers share caches and memory. A split divides whole cores, since two threads of one
//! core slow each other down.
//!
//! Under a quota below the number of CPUs, the CPUs are not divided. Which of them are free depends
//! on what other groups do, so every thread may use all of them.

use std::collections::BTreeSet;

use super::machine::Cpu;
use super::{ComputePriority, CoreBudget, CpuSet, Pin, Placement, ThreadPlan};

/// What the settings ask for; where a thread count is `None`, the plan chooses one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Request {
    pub(crate) io_threads: Option<usize>,
    pub(crate) compute_threads: Option<usize>,
    /// How many local cores there are; each is a thread with a CPU of its own.
    pub(crate) local_cores: usize,
    pub(crate) placement: Placement,
    pub(crate) compute_priority: ComputePriority,
    pub(crate) pin: Pin,
    /// The stack of each thread in bytes, if it is not the default.
    pub(crate) stack_size: Option<usize>,
    /// How many compute threads may wait at a time, if it is not the default.
    pub(crate) max_spares: Option<usize>,
}

/// A thread plan for every thread.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) budget: CoreBudget,
    pub(crate) placement: Placement,
    /// Why the CPUs are not divided although a split was asked for.
    pub(crate) undivided: Option<&'static str>,
    pub(crate) io: Vec<ThreadPlan>,
    pub(crate) compute: Vec<ThreadPlan>,
    pub(crate) local: Vec<ThreadPlan>,
    /// For compute threads of normal priority, if compute work may leave the idle class: as many, and
    /// not on the CPUs of local cores.
    pub(crate) second: Vec<ThreadPlan>,
    /// For the threads that tokio starts for blocking work: the whole budget, instead of a worker's
    /// mask, which they would inherit.
    pub(crate) blocking: ThreadPlan,
    /// Whether compute work leaves the idle class while it gets no CPU time there.
    pub(crate) adapts_priority: bool,
    /// The stack of each thread in bytes, if it is not the default.
    pub(crate) stack_size: Option<usize>,
    /// How many compute threads may wait at a time.
    pub(crate) max_spares: usize,
}

/// As many as tokio has blocking threads, which wait in the same way.
const MAX_SPARES: usize = 512;

impl Plan {
    /// The plans of the first compute pool, or of the second.
    pub(crate) fn of_pool(&self, is_first: bool) -> &[ThreadPlan] {
        if is_first { &self.compute } else { &self.second }
    }

    pub(crate) fn new(budget: CoreBudget, request: Request) -> Self {
        let n = budget.parallelism;
        let compute_priority = request.compute_priority.at_start();
        let order = cpu_order(&budget.layout);
        let is_divided = request.pin != Pin::No && !budget.is_capped();
        let (local_cpus, rest) = split_off_local_cores(&order, request.local_cores);
        let splits = is_divided && request.placement == Placement::Split && rest.len() > 1;
        let besides_local = rest.clone();
        let (io_cpus, compute_cpus) = if splits {
            split(&rest, request.io_threads.unwrap_or(1))
        } else if request.placement == Placement::Shared
            && compute_priority == ComputePriority::Idle
        {
            // Compute yields to local cores as it does to I/O.
            (rest, order)
        } else {
            (rest.clone(), rest)
        };
        // The parallelism that local cores leave to the other threads.
        let left = n.saturating_sub(request.local_cores).max(1);
        let io_default = if request.placement == Placement::Split { 1 } else { left };
        let compute_default = match request.placement {
            Placement::Shared if compute_priority == ComputePriority::Idle => n,
            // Compute threads that do not use the CPUs of local cores have the parallelism that is
            // left.
            Placement::Shared => left,
            Placement::Split if splits => compute_cpus.len(),
            Placement::Split => left.saturating_sub(1).max(1),
        };
        let io_threads = request.io_threads.unwrap_or(io_default);
        let compute_threads = request.compute_threads.unwrap_or(compute_default);

        let masks = |threads, cpus: &[Cpu], is_alone| -> Vec<Option<CpuSet>> {
            let all = || budget.cpus.clone();
            (0..threads)
                .map(|i| match request.pin {
                    Pin::No => None,
                    _ if !is_divided => Some(all()),
                    _ if is_alone => Some(own_cpus(i, threads, cpus)),
                    _ => Some(node_of(cpus[i % cpus.len()], cpus)),
                })
                .collect()
        };
        let thread_plan = |priority| move |cpus| ThreadPlan { cpus, priority };
        // Without a split, an I/O thread is bound to one CPU only if that was asked for: it could
        // not leave the CPU when another process takes it. If local cores take every CPU, it is not
        // bound either, so that the system can move it to the least busy one.
        let is_bound = splits || request.pin != Pin::Auto;
        let has_own = is_bound && request.local_cores < budget.cpus.len();
        let io = masks(io_threads, &io_cpus, has_own).into_iter();
        let compute = masks(compute_threads, &compute_cpus, splits).into_iter();
        let second_cpus = if splits { &compute_cpus } else { &besides_local };
        let adapts_priority = request.compute_priority == ComputePriority::Auto;
        let second_threads = if adapts_priority { compute_threads } else { 0 };
        let second = masks(second_threads, second_cpus, splits).into_iter();
        let local = (0..request.local_cores).map(|i| match request.pin {
            Pin::No => None,
            _ if !is_divided => Some(budget.cpus.clone()),
            _ => Some(std::iter::once(local_cpus[i % local_cpus.len()].id).collect()),
        });
        let undivided = match request.placement {
            Placement::Split if request.pin == Pin::No => Some("threads are not pinned"),
            Placement::Split if budget.is_capped() => Some("a quota takes part of them away"),
            Placement::Split if !splits => Some("there is one CPU"),
            _ => None,
        };
        Self {
            undivided,
            placement: request.placement,
            adapts_priority,
            second: second.map(thread_plan(ComputePriority::Normal)).collect(),
            stack_size: request.stack_size,
            max_spares: request.max_spares.unwrap_or(MAX_SPARES),
            io: io.map(thread_plan(ComputePriority::Normal)).collect(),
            compute: compute.map(thread_plan(compute_priority)).collect(),
            local: local.map(thread_plan(ComputePriority::Normal)).collect(),
            blocking: ThreadPlan {
                cpus: (request.pin != Pin::No).then(|| budget.cpus.clone()),
                priority: ComputePriority::Normal,
            },
            budget,
        }
    }
}

/// The order in which threads get CPUs: the first threads of all cores, then their siblings; each
/// time node by node, and within a node cache by cache.
fn cpu_order(layout: &[Cpu]) -> Vec<Cpu> {
    let mut order = layout.to_vec();
    order.sort_by_key(|cpu| (cpu.thread, cpu.node, cpu.cache, cpu.core, cpu.id));
    order
}

/// The CPUs of this many local cores, and the CPUs that are left for other threads. If none is
/// left, the other threads use all CPUs.
fn split_off_local_cores(order: &[Cpu], cores: usize) -> (Vec<Cpu>, Vec<Cpu>) {
    let (local, rest) = order.split_at(cores.min(order.len()));
    let rest = if rest.is_empty() { order } else { rest };
    (local.to_vec(), rest.to_vec())
}

/// Divides the CPUs between this many I/O threads and compute. It divides whole cores if there are
/// two or more, and each side gets at least one.
fn split(order: &[Cpu], io_threads: usize) -> (Vec<Cpu>, Vec<Cpu>) {
    let mut seen = BTreeSet::new();
    let cores: Vec<usize> =
        order.iter().map(|cpu| cpu.core).filter(|core| seen.insert(*core)).collect();
    if let [_one] = *cores {
        let (io, compute) = order.split_at(io_threads.min(order.len() - 1));
        return (io.to_vec(), compute.to_vec());
    }
    let mut taken = BTreeSet::new();
    let mut cpu_count = 0;
    for core in &cores[..cores.len() - 1] {
        if cpu_count >= io_threads {
            break;
        }
        taken.insert(*core);
        cpu_count += order.iter().filter(|cpu| cpu.core == *core).count();
    }
    order.iter().partition(|cpu| taken.contains(&cpu.core))
}

/// The CPU of thread `i` of `threads`, and the siblings of it that no other thread needs.
fn own_cpus(i: usize, threads: usize, cpus: &[Cpu]) -> CpuSet {
    let own = cpus[i % cpus.len()];
    let spare = cpus.iter().enumerate().filter(|(index, cpu)| {
        // Thread `n` has the CPU at index `n`, so CPUs from index `threads` on are spare.
        *index >= threads && cpu.core == own.core
    });
    let alone = cpus.iter().take(threads).filter(|cpu| cpu.core == own.core).count() == 1;
    let spare = spare.filter(|_| alone).map(|(_, cpu)| cpu.id);
    std::iter::once(own.id).chain(spare).collect()
}

/// All CPUs of `cpus` that are in the memory node of `cpu`.
fn node_of(cpu: Cpu, cpus: &[Cpu]) -> CpuSet {
    cpus.iter().filter(|other| other.node == cpu.node).map(|other| other.id).collect()
}
