//! The scenes, each the only thing that happens in its process.

use std::env;
use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use loom::{ComputePriority, LoomBuilder, LoomRuntime, Pin};

use crate::system::{become_idle, cpus_allowed, deny, in_fork, pin};
use crate::{groups, priority, surroundings};

pub(crate) const SCENE: &str = "LOOM_TEST_SCENE";
/// Variables of several programs: one sets everything, one has a misspelt name, one has variables
/// of its own, one has a name in lower case, and one has an invalid value.
pub(crate) const ENVIRONMENT: [(&str, &str); 27] = [
    ("LOOM_FUNCTIONS", "process::scenes::moved=offload, process::scenes::movd=inline"),
    ("LOOMTEST_PREFIX", "outside"),
    ("LOOMTEST_TOKIO_THREADS", "3"),
    ("LOOMTEST_RAYON_THREADS", " 2 "),
    ("LOOMTEST_LOCAL_CORES", "1"),
    ("LOOMTEST_CPUSET", "0"),
    ("LOOMTEST_PIN", "false"),
    ("LOOMTEST_PLACEMENT", "split"),
    ("LOOMTEST_COMPUTE_PRIORITY", "normal"),
    ("LOOMTEST_GLOBAL_RAYON", "plain"),
    ("LOOMTEST_STACK_SIZE", "1MiB"),
    ("LOOMTEST_MAX_SPARES", "7"),
    ("LOOMTEST_TOKIO_FLAVOR", "multi_thread"),
    ("LOOMTEST_COMPUTE_QUEUE", "9"),
    ("LOOMTEST_SLOW_POLL", "5ms"),
    ("LOOMTEST_SHUTDOWN_TIMEOUT", "1m 30s"),
    ("LOOMTEST_FUNCTIONS", "*=adaptive"),
    ("LOOMSLIP_DATABASE_URL", "postgres://localhost"),
    ("LOOMSLIP_TOKIO_THREAD", "3"),
    ("LOOMOWN_CUSTOMER", "a"),
    ("LOOMOWN_PROXY", "b"),
    ("LOOMOWN_PID", "c"),
    ("LOOMOWN_CPUS", "d"),
    ("LOOMOWN_PLACE", "e"),
    ("LOOMOWN_SHUTDOWN", "f"),
    ("LOOMCASE_tokio_threads", "3"),
    ("LOOMBAD_RAYON_THREADS", "many"),
];
pub(crate) const END: &str = "the scene is over";

/// Does nothing in an ordinary run: the other tests start this test in a process with a scene.
#[test]
fn a_scene_is_played() {
    let Ok(scene) = env::var(SCENE) else { return };
    match &*scene {
        "placement_is_denied" => placement_is_denied(),
        "a_required_pin_is_denied" => a_required_pin_is_denied(),
        "the_idle_class_is_inherited" => the_idle_class_is_inherited(),
        "neighbours_never_rest" => neighbours_never_rest(),
        "neighbours_rest_at_last" => priority::neighbours_rest_at_last(),
        "the_quota_changes" => groups::the_quota_changes(),
        "the_cpu_set_changes" => groups::the_cpu_set_changes(),
        "the_process_forks" => the_process_forks(),
        "the_process_forks_first" => the_process_forks_first(),
        "the_environment_sets_everything" => the_environment_sets_everything(),
        "a_variable_moves_a_function" => a_variable_moves_a_function(),
        "the_builders_thread_is_pinned" => the_builders_thread_is_pinned(),
        "rayons_pool_is_io_first" => surroundings::rayons_pool_is_io_first(),
        "rayons_pool_exists_already" => surroundings::rayons_pool_exists_already(),
        "compute_work_has_heirs" => surroundings::compute_work_has_heirs(),
        scene if scene.starts_with(surroundings::SCENES) => surroundings::play(scene),
        other => panic!("no scene `{other}`"),
    }
    println!("{END}");
}

fn deny_placement() {
    deny(&[
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setattr,
        libc::SYS_setpriority,
    ]);
}

fn works(runtime: &LoomRuntime) {
    let sum = runtime.block_on(async {
        let task = loom::spawn_async(async { 1 }).await.expect("it does not panic");
        let blocking = loom::spawn_blocking(|| 10).await.expect("it does not panic");
        task + blocking + loom::spawn_compute(|| 100).await
    });
    assert_eq!(sum, 111);
}

fn placement_is_denied() {
    deny_placement();
    let all = cpus_allowed();
    // Two runtimes: a fault of the system is reported only once.
    for _ in 0..2 {
        let runtime = LoomBuilder::new().pin(true).build().expect("it starts all the same");
        works(&runtime);
        for thread in runtime.threads() {
            assert_eq!((&thread.cpus, thread.is_idle_class), (&all, false), "{thread:?}");
        }
        println!("{runtime}");
    }
}

fn a_required_pin_is_denied() {
    deny_placement();
    let before = thread_count();
    let error = LoomBuilder::new().pin(Pin::Required).build().expect_err("it is refused");
    println!("{error}");
    // The keeper stays; the other threads take a moment to end.
    while thread_count() > before + 1 {
        thread::yield_now();
    }
    works(&LoomBuilder::new().build().expect("pinning is not required"));
}

fn thread_count() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux tells").count()
}

fn the_idle_class_is_inherited() {
    become_idle();
    deny_placement();
    let runtime = LoomBuilder::new().pin(false).build().expect("it starts");
    assert!(runtime.threads().iter().all(|thread| thread.is_idle_class));
    works(&runtime);
    // Two workers and the blocking thread, at least.
    assert!(runtime.demoted_threads() >= 3, "{}", runtime.demoted_threads());
}

fn neighbours_never_rest() {
    let builder = LoomBuilder::new().compute_priority(ComputePriority::Idle);
    let runtime = builder.build().expect("it starts");
    let over = Arc::new(AtomicBool::new(false));
    let neighbours: Vec<_> = (0..2 * runtime.effective_cpuset().len())
        .map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    hint::spin_loop();
                }
            })
        })
        .collect();
    let calls: Vec<_> = (0..runtime.rayon_threads())
        .map(|_| {
            let over = Arc::clone(&over);
            runtime.spawn_compute(move || {
                while !over.load(Ordering::Relaxed) {
                    hint::spin_loop();
                }
            })
        })
        .collect();
    // Each event covers a tenth of a second. The warning comes with the tenth event in a row of
    // one thread, and at most eight threads are watched.
    let enough = 20 * runtime.rayon_threads().min(8) as u64;
    while runtime.starvation_events() < enough {
        thread::yield_now();
    }
    over.store(true, Ordering::Relaxed);
    for call in calls {
        runtime.block_on(call);
    }
    for neighbour in neighbours {
        neighbour.join().expect("it does not panic");
    }
}

fn refused_because_of_the_fork(f: impl FnOnce()) -> bool {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { return false };
    payload.downcast_ref::<String>().is_some_and(|text| {
        text == "this process was forked, and the threads of its runtimes stayed in the parent, \
                 with the locks that they held: `exec` a program, or fork before the first \
                 runtime is built"
    })
}

fn the_process_forks() {
    let runtime = LoomBuilder::new().local_cores(1).build().expect("it starts");
    works(&runtime);
    let copy = runtime.clone();
    let code = in_fork(move || {
        let refused = [
            refused_because_of_the_fork(|| runtime.spawn_compute(|| ()).detach()),
            refused_because_of_the_fork(|| runtime.spawn_adaptive(|| ()).detach()),
            refused_because_of_the_fork(|| drop(runtime.spawn_async(async {}))),
            refused_because_of_the_fork(|| drop(runtime.spawn_blocking(|| ()))),
            refused_because_of_the_fork(|| runtime.block_on(async {})),
            refused_because_of_the_fork(|| runtime.block_until_idle()),
            refused_because_of_the_fork(|| runtime.install(|| ())),
            refused_because_of_the_fork(|| drop(runtime.local(0).spawn_with(|| async {}))),
        ];
        if let Some(which) = refused.iter().position(|refused| !refused) {
            return 10 + i32::try_from(which).unwrap_or(0);
        }
        // The child has no work to wait for and no threads to end.
        if !runtime.clone().shutdown_timeout(Duration::from_secs(3600)).is_nothing() {
            return 2;
        }
        drop(runtime);
        let Err(error) = LoomBuilder::new().build() else { return 3 };
        let expected = "cannot build a runtime: this process was forked from a process that has \
                        runtimes; their threads exist only in the parent, and locks that they held \
                        stay locked here; `exec` a program, or fork before the first runtime is \
                        built";
        i32::from(error.to_string() != expected)
    });
    assert_eq!(code, 0);
    works(&copy);
    // In a child that a compute thread forks, that thread no longer counts as a compute thread,
    // and the process-wide pool is gone.
    let forks = copy.clone();
    let code = copy.block_on(copy.spawn_compute(move || {
        in_fork(|| i32::from(!refused_because_of_the_fork(|| forks.block_on(async {}))))
    }));
    assert_eq!(code, 0);
    let code =
        in_fork(|| i32::from(!refused_because_of_the_fork(|| loom::spawn_compute(|| ()).detach())));
    assert_eq!(code, 0);
}

/// A program that forks its worker processes first, as some servers do.
fn the_process_forks_first() {
    let code = in_fork(|| {
        works(&LoomBuilder::new().build().expect("it starts"));
        0
    });
    assert_eq!(code, 0);
    works(&LoomBuilder::new().build().expect("it starts"));
}

#[loom::compute(hint = "low")]
fn moved() {}

/// In a plain tokio program, too.
fn a_variable_moves_a_function() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("it starts");
    let task = runtime.spawn(async { moved().await });
    runtime.block_on(task).expect("it does not panic");
    let functions = loom::functions();
    let moved = functions.iter().find(|function| function.name == "process::scenes::moved");
    let moved = moved.expect("it was called");
    assert_eq!((moved.offloaded, moved.overridden, moved.mode), (1, 1, loom::Mode::Offload));
    let verdict = moved.verdict.expect("it was decided");
    assert_eq!(verdict.explain(), "An override forces this arm.");
}

fn the_environment_sets_everything() {
    let builder = || LoomBuilder::new().env_prefix("LOOMTEST");
    let runtime = builder().build().expect("every value is good");
    let shown: Vec<_> = runtime.config().to_string().lines().map(str::to_owned).collect();
    for (i, (key, value)) in [
        ("prefix", "outside"),
        ("tokio_threads", "3"),
        ("rayon_threads", "2"),
        ("local_cores", "1"),
        ("cpuset", "0"),
        ("pin", "false"),
        ("placement", "split"),
        ("compute_priority", "normal"),
        ("global_rayon", "plain"),
        ("stack_size", "1048576"),
        ("max_spares", "7"),
        ("tokio_flavor", "multi_thread"),
        ("compute_queue", "9"),
        ("slow_poll", "5ms"),
        ("shutdown_timeout", "1m 30s"),
    ]
    .into_iter()
    .enumerate()
    {
        let variable = format!("LOOMTEST_{}", key.to_uppercase());
        assert_eq!(shown[i], format!("{key} = {value} (from environment variable `{variable}`)"));
    }
    assert_eq!((runtime.tokio_threads(), runtime.rayon_threads()), (3, 2));
    let functions = "moved=offload,process::scenes::movd=inline,*=adaptive (from environment \
                     variable `LOOMTEST_FUNCTIONS`)";
    assert!(shown.iter().any(|line| line.ends_with(functions)), "{shown:?}");
    // It wins over the builder, with or without the last underscore of the prefix.
    let runtime = LoomBuilder::new().rayon_threads(1).env_prefix("LOOMTEST_").build();
    assert_eq!(runtime.expect("every value is good").rayon_threads(), 2);

    let error = |prefix: &str| {
        let built = LoomBuilder::new().env_prefix(prefix).build();
        built.expect_err("it is refused").to_string()
    };
    assert_eq!(
        error("LOOMSLIP"),
        "`TOKIO_THREAD` is no setting (from environment variable `LOOMSLIP_TOKIO_THREAD`); did \
         you mean `LOOMSLIP_TOKIO_THREADS`? If it is the program's own, choose another `env_prefix`"
    );
    assert_eq!(
        error("LOOMBAD"),
        "`rayon_threads` is \"many\" (from environment variable `LOOMBAD_RAYON_THREADS`); \
         expected a whole number from 1 to 8192, or leave it out for the default"
    );
    assert_eq!(
        error(""),
        "`env_prefix` is \"\" (set in code); expected a name such as `MYAPP`, for variables such \
         as `MYAPP_TOKIO_THREADS`"
    );
    assert_eq!(
        error("LOOMCASE"),
        "`tokio_threads` is no setting (from environment variable `LOOMCASE_tokio_threads`); did \
         you mean `LOOMCASE_TOKIO_THREADS`? If it is the program's own, choose another `env_prefix`"
    );
    LoomBuilder::new().env_prefix("LOOMOWN").build().expect("they are the program's own");
}

fn the_builders_thread_is_pinned() {
    let all = cpus_allowed();
    // The user's thread, pinned before Loom runs for the first time.
    let built = thread::spawn(|| {
        pin();
        assert_eq!(cpus_allowed().len(), 1);
        LoomBuilder::new().build().expect("it starts")
    });
    let runtime = built.join().expect("it does not panic");
    assert_eq!(runtime.effective_cpuset(), all);
    assert_eq!(runtime.block_on(runtime.spawn_compute(cpus_allowed)), all);
    let blocking = runtime.block_on(runtime.spawn_blocking(cpus_allowed));
    assert_eq!(blocking.expect("it does not panic"), all);
}
