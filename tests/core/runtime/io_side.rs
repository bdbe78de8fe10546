//! The I/O side: entering it, blocking on it, its flavours, and a given tokio runtime.

use std::thread;

use loom::{ComputePriority, LoomBuilder, Placement, ThreadRole, TokioFlavor};
use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use crate::{message, small, thread_name};

fn current_prefix() -> Option<String> {
    loom::current_runtime().map(|runtime| runtime.config().prefix.clone())
}

fn prefixed(prefix: &str) -> LoomBuilder {
    LoomBuilder::new().prefix(prefix).tokio_threads(2).rayon_threads(2).pin(false)
}

#[test]
fn entering_gives_a_thread_tokio_and_loom_until_the_guard_goes() {
    let outer = prefixed("outer").build().expect("it starts");
    let inner = prefixed("inner").build().expect("it starts");
    assert!(Handle::try_current().is_err());
    {
        let _outer = outer.enter();
        assert_eq!(current_prefix().as_deref(), Some("outer"));
        {
            let _inner = inner.enter();
            assert_eq!(current_prefix().as_deref(), Some("inner"));
            assert_eq!(Handle::current().id(), inner.tokio_handle().id());
        }
        assert_eq!(current_prefix().as_deref(), Some("outer"));
        let task = tokio::spawn(async { thread_name() });
        assert!(outer.block_on(task).expect("no panic").starts_with("outer-tokio-"));
        // Under a guard, a thread may still block, and a drop may still wait.
        assert_eq!(inner.block_on(async { 1 }), 1);
        drop(inner);
    }
    assert_eq!(current_prefix(), None);
    assert!(Handle::try_current().is_err());
}

#[test]
fn tokios_own_figures_are_there() {
    let runtime = small();
    assert_eq!(runtime.metrics().num_workers(), 2);
    let (release, wait) = tokio::sync::oneshot::channel::<()>();
    let task = runtime.spawn_async(wait);
    assert_eq!(runtime.metrics().num_alive_tasks(), 1);
    release.send(()).expect("the task waits");
    runtime.block_on(task).expect("no panic").expect("it was released");
    assert_eq!(runtime.tokio_runtime().handle().id(), runtime.tokio_handle().id());
}

#[test]
fn blocking_functions_are_tracked_and_their_panics_are_errors() {
    let runtime = small();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocking = runtime.spawn_blocking(move || blocked.recv().is_ok());
    runtime.shutdown();
    assert!(!runtime.is_idle());
    let panic = runtime.spawn_blocking(|| panic!("as it must"));
    let error = runtime.block_on(panic).expect_err("it panics");
    assert_eq!(message(&*error.into_panic()), "as it must");
    release.send(()).expect("it waits");
    assert!(runtime.block_on(blocking).expect("no panic"));
    runtime.block_until_idle();
    assert!(runtime.is_idle());
}

#[test]
fn a_current_thread_runtime_runs_tasks_on_the_thread_that_drives_it() {
    let runtime = LoomBuilder::new().tokio_flavor(TokioFlavor::CurrentThread).build();
    let runtime = runtime.expect("it starts");
    assert_eq!(runtime.tokio_handle().runtime_flavor(), RuntimeFlavor::CurrentThread);
    assert_eq!(runtime.tokio_threads(), 1);
    assert!(runtime.threads().iter().all(|thread| thread.role == ThreadRole::Compute));
    let here = thread::current().id();
    let task = runtime.spawn_async(async { thread::current().id() });
    assert_eq!(runtime.block_on(task).expect("no panic"), here);
    let sum = runtime.block_on(async {
        let blocking = loom::spawn_blocking(|| 1).await.expect("no panic");
        blocking + loom::spawn_compute(|| 10).await + loom::spawn_adaptive(|| 100).await
    });
    assert_eq!(sum, 111);
    // Two threads may drive it at once, and it ends while one of them still does.
    let driver = runtime.clone();
    let (sender, started) = std::sync::mpsc::channel();
    let driving = thread::spawn(move || {
        driver.block_on(async move {
            sender.send(()).expect("the test waits");
            driver_waits().await;
        });
    });
    started.recv().expect("it drives");
    runtime.shutdown_background();
    driving.join().expect("it does not panic");
}

/// Yields often, so that the driver polls many times.
async fn driver_waits() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn beside_a_tokio_runtime_there_is_the_compute_side_alone() {
    for host in [
        Builder::new_multi_thread().worker_threads(2).enable_all().build(),
        Builder::new_current_thread().enable_all().build(),
        // Without a timer, which Loom does not need.
        Builder::new_multi_thread().worker_threads(1).build(),
    ] {
        let host = host.expect("tokio starts");
        let runtime = LoomBuilder::new()
            .prefix("guest")
            .rayon_threads(2)
            .beside(host.handle().clone())
            .build()
            .expect("it starts");
        assert_eq!(runtime.tokio_threads(), host.metrics().num_workers());
        assert_eq!(runtime.tokio_handle().id(), host.handle().id());
        assert!(runtime.threads().iter().all(|thread| thread.role == ThreadRole::Compute));
        // The host's tasks use this runtime, with and without a handle.
        let seen = host.block_on(async {
            let task = tokio::spawn(async { loom::spawn_compute(thread_name).await });
            let tracked = loom::spawn_async(async { current_prefix() });
            let in_compute = runtime.spawn_compute(|| Handle::current().id()).await;
            assert_eq!(in_compute, Handle::current().id());
            (task.await.expect("no panic"), tracked.await.expect("no panic"))
        });
        assert!(seen.0.starts_with("guest-"), "{}", seen.0);
        assert_eq!(seen.1.as_deref(), Some("guest"));
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.tokio_runtime().metrics();
        }));
        assert!(message(&*payload.expect_err("it owns none")).contains("use `tokio_handle`"));
        // Only this runtime ends; the host goes on, and its tasks belong to no Loom runtime again.
        assert!(runtime.shutdown_timeout(std::time::Duration::from_secs(60)).is_nothing());
        assert_eq!(host.block_on(async { current_prefix() }), None);
    }
}

#[test]
fn what_the_host_decides_cannot_be_set_beside_it() {
    let host = Builder::new_multi_thread().worker_threads(2).build().expect("tokio starts");
    let error = |builder: LoomBuilder| {
        let built = builder.beside(host.handle().clone()).build();
        built.expect_err("it is refused").to_string()
    };
    assert_eq!(
        error(LoomBuilder::new().tokio_threads(3)),
        "`tokio_threads` is 3 (set in code); the tokio runtime that was given has 2 workers \
         already: leave it out"
    );
    assert_eq!(
        error(LoomBuilder::new().tokio_flavor(TokioFlavor::CurrentThread)),
        "`tokio_flavor` is current_thread (set in code); the tokio runtime that was given has the \
         flavor multi_thread already: leave it out"
    );
}

#[cfg(target_os = "linux")]
mod on_linux {
    use super::*;
    use std::process::Command;

    /// The scheduling policy of the calling thread, and the CPUs that it may use.
    fn seat() -> (i64, String) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells");
        // Field 41 is the policy; the name before it is in parentheses.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let policy = after_name.split_whitespace().nth(38).and_then(|field| field.parse().ok());
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("Linux tells");
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        (policy.expect("a number"), cpus.unwrap_or_default().trim().to_owned())
    }

    #[test]
    fn blocking_functions_have_every_cpu_and_normal_priority_wherever_they_come_from() {
        let builder = LoomBuilder::new().compute_priority(ComputePriority::Idle);
        let runtime = builder.build().expect("it starts");
        let all = runtime.config().cpuset.clone();
        let normal = (i64::from(libc::SCHED_OTHER), all);
        let blocking = || loom::spawn_blocking(seat);
        let join = |task: tokio::task::JoinHandle<_>| runtime.block_on(task).expect("no panic");
        for _ in 0..20 {
            let from_compute = runtime.block_on(runtime.spawn_compute(blocking));
            assert_eq!(join(from_compute), normal);
            let from_io = runtime.block_on(runtime.spawn_async(async move { blocking().await }));
            assert_eq!(from_io.expect("no panic").expect("no panic"), normal);
            let from_blocking = runtime.block_on(runtime.spawn_blocking(blocking));
            assert_eq!(join(from_blocking.expect("no panic")), normal);
        }
        assert_eq!(runtime.demoted_threads(), 0);
    }

    #[test]
    fn masks_follow_the_role_through_a_hundred_hand_overs() {
        let runtime = LoomBuilder::new().tokio_threads(2).placement(Placement::Shared).build();
        let runtime = runtime.expect("it starts");
        let all = runtime.config().cpuset.clone();
        for _ in 0..100 {
            // The worker hands its role to another thread, and may return in either role.
            let task = runtime.spawn_async(async {
                tokio::task::block_in_place(thread::yield_now);
                tokio::task::yield_now().await;
            });
            runtime.block_on(task).expect("no panic");
            let blocking = runtime.spawn_blocking(seat);
            assert_eq!(runtime.block_on(blocking).expect("no panic").1, all);
        }
        if runtime
            .threads()
            .iter()
            .any(|thread| thread.cpus.len() > 1 && thread.role == ThreadRole::Io)
        {
            return; // Under a CPU quota, workers are not pinned.
        }
        // Each thread that drives tasks now has parked since, and so is pinned as a worker.
        let seats: std::collections::BTreeSet<_> = (0..100)
            .map(|_| {
                let task = runtime.spawn_async(async {
                    tokio::task::spawn_blocking(thread::yield_now).await.expect("no panic");
                    seat().1
                });
                runtime.block_on(task).expect("no panic")
            })
            .collect();
        assert!(seats.iter().all(|cpus| cpus.parse::<usize>().is_ok()), "{seats:?}");
    }

    #[test]
    fn a_child_process_can_be_freed_of_a_threads_place() {
        fn place_of_child(reset: bool) -> (i64, String) {
            let mut command = Command::new("cat");
            command.args(["/proc/self/stat", "/proc/self/status"]);
            if reset {
                loom::command_reset(&mut command);
            }
            let output = command.output().expect("cat is everywhere");
            let text = String::from_utf8(output.stdout).expect("it is text");
            let (stat, status) = text.split_once('\n').expect("two files");
            let policy = stat.rsplit(')').next().unwrap_or_default();
            let policy = policy.split_whitespace().nth(38).and_then(|field| field.parse().ok());
            let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
            (policy.expect("a number"), cpus.unwrap_or_default().trim().to_owned())
        }
        let builder = LoomBuilder::new().compute_priority(ComputePriority::Idle);
        let runtime = builder.build().expect("it starts");
        let all = runtime.config().cpuset.clone();
        let on_io = |reset| {
            let task = runtime.spawn_async(async move { (seat(), place_of_child(reset)) });
            runtime.block_on(task).expect("no panic")
        };
        let (own, inherited) = on_io(false);
        assert_eq!(own, inherited);
        assert_eq!(on_io(true).1, (i64::from(libc::SCHED_OTHER), all));
        let idle = runtime.block_on(runtime.spawn_compute(|| place_of_child(false)));
        assert_eq!(idle.0, i64::from(libc::SCHED_IDLE));
    }
}
