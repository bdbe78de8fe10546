//! What code that knows nothing of Loom sees, wherever it runs.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use loom::{ComputePriority, GlobalRayon, LoomBuilder, LoomRuntime};

use crate::system::{allowed_in, cpus_allowed};

/// Scenes begin so, and end with the place where rayon's global pool is used first.
pub(crate) const SCENES: &str = "rayon_is_first_used_in_";
/// The places.
pub(crate) const PLACES: [&str; 6] = [
    "main",
    "a_task",
    "a_blocking_function",
    "an_inline_body",
    "an_offloaded_body",
    "a_thread_of_an_offloaded_body",
];

/// What a place shows of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    parallelism: usize,
    cpus_of_a_thread: Vec<usize>,
    cpus_of_a_child: Vec<usize>,
    rayon_threads: usize,
    /// Whether a thread, a child, and any thread of the rayon pool in use are of the idle class.
    is_idle: [bool; 3],
}

/// Whether the kernel's description of a thread says that it is of the idle class.
fn is_idle(stat: &str) -> bool {
    const SCHED_IDLE: &str = "5";
    // The name may have spaces. The policy is field 41, and the first after the name is field 3.
    let after_name = stat.rsplit(") ").next().expect("there is a name");
    after_name.split(' ').nth(41 - 3) == Some(SCHED_IDLE)
}

pub(crate) fn is_idle_here() -> bool {
    is_idle(&fs::read_to_string("/proc/thread-self/stat").expect("Linux tells"))
}

fn look() -> Seen {
    let (cpus_of_a_thread, idle_thread) =
        thread::spawn(|| (cpus_allowed(), is_idle_here())).join().expect("no panic");
    let child = Command::new("cat").args(["/proc/self/status", "/proc/self/stat"]).output();
    let child = String::from_utf8(child.expect("it starts").stdout).expect("it is text");
    let stat = child.lines().last().expect("it is the second file");
    Seen {
        parallelism: thread::available_parallelism().expect("Linux tells").get(),
        cpus_of_a_thread,
        cpus_of_a_child: allowed_in(&child),
        rayon_threads: rayon::current_num_threads(),
        is_idle: [
            idle_thread,
            is_idle(stat),
            rayon::broadcast(|_| is_idle_here()).into_iter().any(|is_idle| is_idle),
        ],
    }
}

#[loom::compute(mode = "inline")]
fn inline() -> Seen {
    look()
}

#[loom::compute(mode = "offload")]
fn offloaded() -> Seen {
    look()
}

/// A thread of an offloaded body: it has the class of the body, and rayon's global pool.
#[loom::compute(mode = "offload")]
fn on_a_thread() -> Seen {
    thread::spawn(look).join().expect("no panic")
}

fn look_in(runtime: &LoomRuntime, place: &str) -> Seen {
    match place {
        "main" => look(),
        "a_task" => runtime.block_on(runtime.spawn_async(async { look() })).expect("no panic"),
        "a_blocking_function" => runtime.block_on(runtime.spawn_blocking(look)).expect("no panic"),
        // On an I/O worker.
        "an_inline_body" => {
            runtime.block_on(runtime.spawn_async(async { inline().await })).expect("no panic")
        }
        "an_offloaded_body" => runtime.block_on(offloaded()),
        "a_thread_of_an_offloaded_body" => runtime.block_on(on_a_thread()),
        other => panic!("no place `{other}`"),
    }
}

pub(crate) fn play(scene: &str) {
    let first = scene.strip_prefix(SCENES).expect("it begins so");
    let (cpus, parallelism) = (cpus_allowed(), thread::available_parallelism());
    let budget = parallelism.expect("Linux tells").get();
    let runtime = LoomBuilder::new().build().expect("it starts");
    for place in [first].into_iter().chain(PLACES) {
        // Beside busy neighbours, compute work may change its class meanwhile.
        let (seen, is_compute_idle) = loop {
            let changes = runtime.priority_changes();
            let seen = look_in(&runtime, place);
            if runtime.priority_changes() == changes {
                break (seen, changes.is_multiple_of(2));
            }
        };
        println!("{place}: {seen:?}");
        let is_idle = match place {
            // What an offloaded body starts inherits its class, and so has its pool.
            "an_offloaded_body" => [is_compute_idle; 3],
            "a_thread_of_an_offloaded_body" => [is_compute_idle, is_compute_idle, false],
            _ => [false; 3],
        };
        let expected = Seen {
            parallelism: budget,
            cpus_of_a_thread: cpus.clone(),
            cpus_of_a_child: cpus.clone(),
            rayon_threads: budget,
            is_idle,
        };
        assert_eq!(seen, expected, "{place}, first used in {first}");
    }
    let names = rayon::broadcast(|_| fs::read_to_string("/proc/thread-self/comm"));
    for name in names.into_iter().map(|name| name.expect("Linux tells")) {
        // Rayon's threads have the name of the thread that builds the pool, which may be a worker.
        assert_ne!(name.trim_end(), "loom-keeper", "a thread of rayon's global pool");
    }
}

/// Which threads of rayon's global pool are of the idle class.
fn idle_in_pool() -> Vec<bool> {
    rayon::broadcast(|_| is_idle_here())
}

pub(crate) fn rayons_pool_is_io_first() {
    let builder = LoomBuilder::new().global_rayon(GlobalRayon::IoFirst);
    let runtime = builder.build().expect("it starts");
    let threads = thread::available_parallelism().expect("Linux tells").get();
    assert_eq!(idle_in_pool(), vec![true; threads]);
    // They are Loom's own, and no heirs of compute work.
    let (stop, stopped) = mpsc::channel::<()>();
    let work = runtime.spawn_compute(move || stopped.recv());
    let looks = || runtime.inherited_idle();
    assert_eq!(looks(), []);
    drop(stop);
    runtime.block_on(work).expect_err("nothing was sent");
    println!("{:?}", runtime.config().global_rayon);
}

pub(crate) fn rayons_pool_exists_already() {
    assert!(idle_in_pool().iter().all(|is_idle| !is_idle));
    for _ in 0..2 {
        let builder = LoomBuilder::new().global_rayon(GlobalRayon::IoFirst);
        let runtime = builder.build().expect("it starts all the same");
        assert_eq!(runtime.block_on(runtime.spawn_compute(|| 6 * 7)), 42);
    }
    assert!(idle_in_pool().iter().all(|is_idle| !is_idle));
}

/// A thread and a process that compute work starts are counted and told of.
pub(crate) fn compute_work_has_heirs() {
    let builder = LoomBuilder::new().compute_priority(ComputePriority::Idle);
    let runtime = builder.build().expect("it starts");
    assert_eq!(runtime.inherited_idle(), []);
    let (stop, stopped) = mpsc::channel::<()>();
    let work = runtime.spawn_compute(move || {
        let (end, ended) = mpsc::channel::<()>();
        let heir = thread::Builder::new().name("heir".to_owned());
        let heir = heir.spawn(move || ended.recv()).expect("the system has threads");
        // It ends with its input.
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
        let _ = stopped.recv();
        drop((end, child.stdin.take()));
        assert!(child.wait().expect("it was started").success());
        let _ = heir.join();
    });
    let found = loop {
        let found = runtime.inherited_idle();
        if found.len() == 2 {
            break found;
        }
        thread::yield_now();
    };
    drop(stop);
    runtime.block_on(work);
    let found: Vec<_> = found.iter().map(|one| (&*one.name, one.is_process, one.count)).collect();
    assert_eq!(found, [("heir", false, 1), ("cat", true, 1)]);
    assert_eq!(runtime.prometheus_metrics().inherited_idle.get(), 2);
}
