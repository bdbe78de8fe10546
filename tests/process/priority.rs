//! Compute work that leaves the idle class and goes back to it.

use std::fs;
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use loom::{LoomBuilder, LoomRuntime};

use crate::surroundings::is_idle_here;
use crate::system::work;

/// Takes some CPU time. Returns whether it ran in the idle class, and on how many threads a
/// parallel iterator would run.
fn call() -> (bool, usize) {
    work();
    (is_idle_here(), rayon::current_num_threads())
}

/// Makes calls one after the other until compute work has changed its class this often. Gives up
/// after many calls, and returns false then.
fn call_until_changed(runtime: &LoomRuntime, changes: u64) -> bool {
    thread::scope(|scope| {
        // Work that is given to the pool itself runs as well. Nobody watches it.
        let direct = scope.spawn(|| runtime.rayon_pool().install(call));
        for _ in 0..20_000 {
            if runtime.priority_changes() == changes {
                break;
            }
            runtime.block_on(runtime.spawn_compute(call));
            runtime.install(call);
        }
        direct.join().expect("it does not panic");
    });
    runtime.priority_changes() == changes
}

/// Which part of the CPU time other processes take while this one makes many calls.
fn share_of_others(runtime: &LoomRuntime) -> f64 {
    // In clock ticks: the busy and all time of the machine, and the time of this process.
    let ticks = || {
        let read = |file: &str| fs::read_to_string(file).expect("Linux tells");
        let numbers = |line: &str| -> Vec<f64> {
            line.split_whitespace().filter_map(|field| field.parse().ok()).collect()
        };
        let machine = numbers(read("/proc/stat").lines().next().expect("all CPUs"));
        let own = read("/proc/self/stat");
        // After the name and the state, user and system time are fields 11 and 12.
        let own = numbers(own.rsplit(')').next().expect("there is a name"));
        let all: f64 = machine.iter().take(8).sum();
        [all - machine[3] - machine[4], all, own[10] + own[11]]
    };
    let before = ticks();
    for _ in 0..5_000 {
        runtime.block_on(runtime.spawn_compute(call));
    }
    let after = ticks();
    let [busy, all, own] = [0, 1, 2].map(|at| after[at] - before[at]);
    (busy - own) / all
}

/// Where calls, installed work, scopes and direct users of the pool run.
fn classes(runtime: &LoomRuntime) -> [(bool, usize); 4] {
    let mut in_a_scope = None;
    runtime.block_on(runtime.scope_compute(|_| in_a_scope = Some(call())));
    [
        runtime.block_on(runtime.spawn_compute(call)),
        runtime.install(call),
        runtime.rayon_pool().install(call),
        in_a_scope.expect("the scope has ended"),
    ]
}

pub(crate) fn neighbours_rest_at_last() {
    let runtime = LoomBuilder::new().build().expect("it starts");
    let threads = runtime.rayon_threads();
    let names = || runtime.threads().into_iter().map(|thread| thread.name).collect::<Vec<_>>();
    assert!(!names().iter().any(|name| name.contains("-norm-")));
    let over = Arc::new(AtomicBool::new(false));
    let spin = |over: Arc<AtomicBool>| {
        move || {
            while !over.load(Ordering::Relaxed) {
                hint::spin_loop();
            }
        }
    };
    let neighbours: Vec<_> = (0..thread::available_parallelism().expect("Linux tells").get())
        .map(|_| thread::spawn(spin(Arc::clone(&over))))
        .collect();
    assert!(call_until_changed(&runtime, 1));
    assert_eq!(classes(&runtime), [(false, threads); 4]);
    assert_eq!(names().iter().filter(|name| name.contains("-norm-")).count(), threads);
    over.store(true, Ordering::Relaxed);
    for neighbour in neighbours {
        neighbour.join().expect("it does not panic");
    }
    if call_until_changed(&runtime, 2) {
        assert_eq!(classes(&runtime), [(true, threads); 4]);
    } else {
        let others = share_of_others(&runtime);
        assert!(others > 0.2, "nobody but compute work needs the CPUs: {others}");
        println!("skipped: other processes take {others:.2} of the CPU time");
    }
}
