//! Plans for described machines, from one CPU to more than a mask of 1024 can hold.

use proptest::prelude::*;

use super::machine::{Cpu, Machine, number_threads};
use super::{ComputePriority, CoreBudget, CpuSet, Pin, Placement, Plan, Request, ThreadPlan};

/// A machine whose CPUs are numbered as on Linux: the first threads of all cores, then the second
/// ones.
#[derive(Clone, Copy, Debug)]
struct Described {
    sockets: usize,
    cores: usize,
    threads: usize,
    /// Cores that share a level 3 cache.
    cores_a_cache: usize,
    quota: Option<f64>,
}

impl Described {
    fn machine(self) -> Machine {
        let cores = self.sockets * self.cores;
        let mut cpus: Vec<Cpu> = (0..cores * self.threads)
            .map(|id| {
                let core = id % cores;
                let cache = core - core % self.cores_a_cache;
                Cpu { id, core, thread: 0, cache, node: core / self.cores }
            })
            .collect();
        number_threads(&mut cpus);
        Machine { cpus, quota: self.quota }
    }

    fn budget(self) -> CoreBudget {
        CoreBudget::of(&self.machine())
    }
}

/// One socket, with one thread per core.
fn plain(cores: usize) -> Described {
    Described { sockets: 1, cores, threads: 1, cores_a_cache: cores, quota: None }
}

const LAPTOP: Described =
    Described { sockets: 1, cores: 4, threads: 2, cores_a_cache: 4, quota: None };
/// 2 sockets with 48 cores each, 2 threads per core, 6 cores per cache.
const SERVER: Described =
    Described { sockets: 2, cores: 48, threads: 2, cores_a_cache: 6, quota: None };

fn split() -> Request {
    Request { placement: Placement::Split, ..Request::default() }
}

fn masks(plans: &[ThreadPlan]) -> Vec<String> {
    let mask = |thread_plan: &ThreadPlan| {
        thread_plan.cpus.as_ref().map_or("any".to_owned(), ToString::to_string)
    };
    plans.iter().map(mask).collect()
}

fn pinned() -> Request {
    Request { pin: Pin::Yes, ..Request::default() }
}

#[test]
fn sharing_gives_all_cpus_to_every_thread() {
    let plan = Plan::new(plain(4).budget(), Request::default());
    assert_eq!(masks(&plan.io), ["0-3"; 4]);
    assert_eq!(masks(&plan.compute), ["0-3"; 4]);
    let plan = Plan::new(plain(4).budget(), Request { local_cores: 1, ..Request::default() });
    assert_eq!((masks(&plan.local), masks(&plan.io)), (vec!["0".into()], vec!["1-3".into(); 3]));
}

#[test]
fn pinning_gives_io_a_cpu_each_and_compute_all_of_them() {
    let plan = Plan::new(plain(4).budget(), pinned());
    assert_eq!(masks(&plan.io), ["0", "1", "2", "3"]);
    assert_eq!(masks(&plan.compute), ["0-3"; 4]);
    assert!(plan.compute.iter().all(|s| s.priority == ComputePriority::Idle));
    assert!(plan.io.iter().all(|s| s.priority == ComputePriority::Normal));
}

#[test]
fn a_split_keeps_the_two_sides_apart() {
    let plan = Plan::new(plain(4).budget(), split());
    assert_eq!(masks(&plan.io), ["0"]);
    assert_eq!(masks(&plan.compute), ["1", "2", "3"]);
}

#[test]
fn one_cpu_gets_a_thread_of_each_kind_on_it() {
    for placement in [Placement::Shared, Placement::Split] {
        let plan = Plan::new(plain(1).budget(), Request { placement, ..pinned() });
        assert_eq!((masks(&plan.io), masks(&plan.compute)), (vec!["0".into()], vec!["0".into()]));
    }
}

#[test]
fn a_laptop_is_filled_by_cores_and_split_by_cores() {
    let few = Request { io_threads: Some(3), ..pinned() };
    let plan = Plan::new(LAPTOP.budget(), few);
    // Each thread has a core, with the sibling that no other thread needs.
    assert_eq!(masks(&plan.io), ["0,4", "1,5", "2,6"]);
    assert_eq!(masks(&plan.compute), ["0-7"; 8]);
    let plan = Plan::new(LAPTOP.budget(), split());
    assert_eq!(masks(&plan.io), ["0,4"]);
    assert_eq!(masks(&plan.compute), ["1", "2", "3", "5", "6", "7"]);
    let plan = Plan::new(LAPTOP.budget(), Request { io_threads: Some(3), ..split() });
    assert_eq!(masks(&plan.io), ["0", "1,5", "4"]);
    assert_eq!(masks(&plan.compute), ["2", "3", "6", "7"]);
}

#[test]
fn one_core_with_two_threads_is_split_between_them() {
    let one = Described { cores: 1, cores_a_cache: 1, ..LAPTOP };
    let plan = Plan::new(one.budget(), split());
    assert_eq!((masks(&plan.io), masks(&plan.compute)), (vec!["0".into()], vec!["1".into()]));
}

#[test]
fn a_server_keeps_threads_to_their_memory_node() {
    let plan = Plan::new(SERVER.budget(), Request::default());
    for plans in [&plan.io, &plan.compute] {
        assert_eq!(plans.len(), 192);
        assert_eq!(masks(plans)[0], "0-47,96-143");
        assert_eq!(masks(plans)[48], "48-95,144-191");
    }
    let plan = Plan::new(SERVER.budget(), pinned());
    assert_eq!((plan.io.len(), plan.compute.len()), (192, 192));
    assert_eq!(masks(&plan.io)[..3], ["0", "1", "2"]);
    assert_eq!(masks(&plan.io)[96], "96");
    assert_eq!(masks(&plan.compute)[0], "0-47,96-143");
    assert_eq!(masks(&plan.compute)[48], "48-95,144-191");
    let of_node_0 = masks(&plan.compute).iter().filter(|mask| mask.starts_with("0-")).count();
    assert_eq!(of_node_0, 96);
    // A few threads are placed close together: in one node, cache by cache.
    let few = Request { io_threads: Some(8), compute_threads: Some(8), ..pinned() };
    let plan = Plan::new(SERVER.budget(), few);
    assert_eq!(masks(&plan.io)[6..], ["6,102", "7,103"]);
    assert_eq!(masks(&plan.compute), ["0-47,96-143"; 8]);
}

#[test]
fn a_quota_of_three_and_a_half_on_a_server_makes_three_threads_that_may_go_anywhere() {
    let quota = Described { quota: Some(3.5), ..SERVER };
    for placement in [Placement::Shared, Placement::Split] {
        let plan = Plan::new(quota.budget(), Request { placement, ..Request::default() });
        let (io, compute) = if placement == Placement::Shared { (3, 3) } else { (1, 2) };
        assert_eq!(masks(&plan.io), vec!["0-191"; io]);
        assert_eq!(masks(&plan.compute), vec!["0-191"; compute]);
    }
}

#[test]
fn more_than_1024_cpus_all_get_their_threads() {
    let plan = Plan::new(plain(2000).budget(), pinned());
    assert_eq!((plan.io.len(), plan.compute.len()), (2000, 2000));
    assert_eq!(masks(&plan.io)[1999], "1999");
    assert_eq!(masks(&plan.compute)[0], "0-1999");
}

#[test]
fn more_threads_than_cpus_go_round() {
    let request = Request { io_threads: Some(3), compute_threads: Some(5), ..split() };
    let plan = Plan::new(plain(2).budget(), request);
    assert_eq!(masks(&plan.io), ["0", "0", "0"]);
    assert_eq!(masks(&plan.compute), ["1"; 5]);
    let unpinned =
        Request { io_threads: Some(1), compute_threads: Some(2), pin: Pin::No, ..request };
    let plan = Plan::new(plain(2).budget(), unpinned);
    assert_eq!((plan.io.len(), plan.compute.len()), (1, 2));
}

#[test]
fn local_cores_have_a_cpu_each_and_compute_yields_to_them() {
    let of = |local_cores, compute_priority| {
        let request = Request { local_cores, compute_priority, ..Request::default() };
        let plan = Plan::new(plain(4).budget(), request);
        (masks(&plan.local), masks(&plan.io), masks(&plan.compute))
    };
    let (local, io, compute) = of(2, ComputePriority::Idle);
    assert_eq!((local, io), (texts(["0", "1"]), texts(["2-3", "2-3"])));
    assert_eq!(compute, ["0-3"; 4]);
    // Compute threads that do not yield do not use the CPUs of local cores.
    assert_eq!(of(2, ComputePriority::Normal).2, ["2-3"; 2]);
    // With more local cores than CPUs, all threads share the CPUs.
    let (local, io, _) = of(6, ComputePriority::Idle);
    assert_eq!((local, io), (texts(["0", "1", "2", "3", "0", "1"]), texts(["0-3"])));
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

#[test]
fn without_pinning_no_seat_names_a_cpu() {
    let plan = Plan::new(plain(2).budget(), Request { pin: Pin::No, ..Request::default() });
    assert_eq!(masks(&plan.io), ["any", "any"]);
    assert_eq!(masks(&plan.compute), ["any", "any"]);
    assert_eq!(plan.blocking.cpus, None);
}

fn machines() -> impl Strategy<Value = (CoreBudget, Described)> {
    let shape = (1_usize..=4, 1_usize..=12, 1_usize..=4, 1_usize..=12);
    let quota = prop::option::of(0.01_f64..200.0);
    (shape, quota, prop::collection::vec(any::<bool>(), 200)).prop_map(
        |((sockets, cores, threads, cores_a_cache), quota, keep)| {
            let described = Described { sockets, cores, threads, cores_a_cache, quota };
            // A mask or a cpuset may leave any part of the machine.
            let all = described.machine().cpus.len();
            let kept: CpuSet = (0..all).filter(|id| keep[*id]).collect();
            let budget = described.budget();
            (budget.clone().within(&kept).unwrap_or(budget), described)
        },
    )
}

fn requests() -> impl Strategy<Value = Request> {
    let threads = || prop::option::of(1_usize..=40);
    let placement = prop_oneof![Just(Placement::Shared), Just(Placement::Split)];
    let pin = prop_oneof![Just(Pin::Auto), Just(Pin::Yes), Just(Pin::No), Just(Pin::Required)];
    (threads(), threads(), 0_usize..=20, placement, pin).prop_map(
        |(io_threads, compute_threads, local_cores, placement, pin)| Request {
            io_threads,
            compute_threads,
            local_cores,
            placement,
            pin,
            compute_priority: ComputePriority::Idle,
            stack_size: None,
            max_spares: None,
        },
    )
}

proptest! {
    #[test]
    fn every_plan_keeps_to_its_budget((budget, described) in machines(), request in requests()) {
        let plan = Plan::new(budget.clone(), request);
        let n = budget.parallelism;
        prop_assert!(n >= 1 && n <= budget.cpus.len());
        let n_f64 = f64::from(u32::try_from(n).expect("few CPUs"));
        prop_assert!(described.quota.is_none_or(|quota| n == 1 || n_f64 <= quota));

        // There are as many threads as asked for; by default, no more of a kind than can run at
        // once.
        prop_assert!(request.io_threads.map_or((1..=n).contains(&plan.io.len()), |n| n == plan.io.len()));
        prop_assert!(request.compute_threads.map_or(
            (1..=n).contains(&plan.compute.len()),
            |n| n == plan.compute.len(),
        ));

        prop_assert_eq!(plan.local.len(), request.local_cores);

        let plans =
            || plan.io.iter().chain(&plan.compute).chain(&plan.local).chain([&plan.blocking]);
        prop_assert_eq!(plans().all(|thread_plan| thread_plan.cpus.is_none()), request.pin == Pin::No);
        for cpus in plans().filter_map(|thread_plan| thread_plan.cpus.as_ref()) {
            prop_assert!(!cpus.is_empty() && cpus.is_subset(&budget.cpus));
        }
        if request.pin == Pin::No || budget.is_capped() {
            return Ok(());
        }
        let union = |plans: &[ThreadPlan]| -> CpuSet {
            plans.iter().flat_map(|s| s.cpus.iter().flat_map(CpuSet::as_slice)).copied().collect()
        };
        let cores = |cpus: &CpuSet| -> CpuSet {
            budget.layout.iter().filter(|c| cpus.contains(c.id)).map(|c| c.core).collect()
        };
        let all_cores = cores(&budget.cpus).len();
        let (io, compute, local) = (union(&plan.io), union(&plan.compute), union(&plan.local));

        // While there are enough CPUs, each local core has one, and I/O uses the others.
        prop_assert_eq!(local.len(), request.local_cores.min(budget.cpus.len()));
        let left = budget.cpus.len() - local.len();
        if left > 0 {
            prop_assert!(local.intersection(&io).is_empty());
        }
        let left = if left > 0 { left } else { budget.cpus.len() };

        // Pinned I/O threads have CPUs of their own while there are enough, physical cores first.
        let has_own = request.local_cores < budget.cpus.len();
        let is_shared = request.placement == Placement::Shared;
        if is_shared && request.pin != Pin::Auto && has_own && plan.io.len() <= left {
            let total: usize = plan.io.iter().filter_map(|s| s.cpus.as_ref()).map(CpuSet::len).sum();
            prop_assert_eq!(total, io.len());
            if request.local_cores == 0 {
                prop_assert_eq!(cores(&io).len(), plan.io.len().min(all_cores));
            }
        }
        if request.placement == Placement::Split && has_own && left > 1 {
            prop_assert!(io.intersection(&compute).is_empty());
            if all_cores > 1 && request.local_cores == 0 {
                prop_assert!(cores(&io).intersection(&cores(&compute)).is_empty());
            }
        }
        if request.placement == Placement::Shared {
            // The mask of a compute thread is a whole node.
            for cpus in plan.compute.iter().filter_map(|s| s.cpus.as_ref()) {
                let node = |id: usize| budget.layout.iter().find(|c| c.id == id).map(|c| c.node);
                let nodes: Vec<_> = cpus.as_slice().iter().map(|id| node(*id)).collect();
                prop_assert!(nodes.iter().all(|n| *n == nodes[0]));
                let whole = budget.layout.iter().filter(|c| Some(c.node) == nodes[0]).count();
                prop_assert_eq!(whole, cpus.len());
            }
        }
    }
}
