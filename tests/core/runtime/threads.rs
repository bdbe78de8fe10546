//! Threads: where they run, their names, and the runtime that is current on them.

use std::collections::BTreeSet;

use loom::{ComputePriority, LoomBuilder, Pin, Placement};

use crate::{small, thread_name};

#[test]
fn threads_carry_the_prefix_their_role_and_a_number() {
    let runtime = LoomBuilder::new()
        .prefix("shop")
        .tokio_threads(1)
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("it starts");
    assert_eq!(runtime.block_on(runtime.spawn_compute(thread_name)), "shop-rayon-0000");
    let io = runtime.block_on(runtime.spawn_async(async { thread_name() }));
    assert_eq!(io.expect("it does not panic"), "shop-tokio-0000");
    let blocking = runtime.tokio_handle().spawn_blocking(thread_name);
    let blocking = runtime.block_on(blocking).expect("it does not panic");
    assert!(blocking.starts_with("shop-blocking-"), "{blocking}");
}

#[test]
fn what_was_obtained_is_read_back_and_shown() {
    let runtime = LoomBuilder::new().tokio_threads(2).rayon_threads(3).build().expect("it starts");
    assert_eq!((runtime.tokio_threads(), runtime.rayon_threads()), (2, 3));
    let budget: BTreeSet<_> = runtime.effective_cpuset().iter().collect();
    assert!(!budget.is_empty());
    assert!(runtime.tokio_cpus().iter().all(|cpu| budget.contains(cpu)));
    assert!(runtime.rayon_cpus().iter().all(|cpu| budget.contains(cpu)));
    let shown = runtime.to_string();
    assert!(shown.starts_with("loom runtime: 2 I/O + 3 compute threads on CPUs "), "{shown}");
    for thread in ["loom-tokio-0000: CPUs ", "loom-tokio-0001: ", "loom-rayon-0002: "] {
        assert!(shown.contains(thread), "{shown}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn compute_threads_yield_to_io_and_blocking_threads_do_not_inherit_a_workers_cpu() {
    /// The scheduling policy of the calling thread, and the number of CPUs that it may use.
    fn seat() -> (i64, usize) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells");
        // Field 41 is the policy; the name before it is in parentheses.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let policy = after_name.split_whitespace().nth(38).and_then(|field| field.parse().ok());
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("Linux tells");
        let mask = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:"));
        let bits = mask.unwrap_or_default().chars().filter_map(|c| c.to_digit(16));
        (policy.expect("a number"), bits.map(|digit| digit.count_ones() as usize).sum())
    }
    for pin in [Pin::Auto, Pin::Yes] {
        let builder = LoomBuilder::new().pin(pin).compute_priority(ComputePriority::Idle);
        let runtime = builder.build().expect("it starts");
        let all = runtime.effective_cpuset().len();
        let in_tokio = runtime.spawn_async(async {
            (seat(), tokio::task::spawn_blocking(seat).await.expect("it does not panic"))
        });
        let (io, blocking) = runtime.block_on(in_tokio).expect("it does not panic");
        let compute = runtime.block_on(runtime.spawn_compute(seat));
        assert_eq!(compute, (i64::from(libc::SCHED_IDLE), all));
        assert_eq!(blocking, (i64::from(libc::SCHED_OTHER), all));
        // Under a CPU quota, no worker is pinned.
        let is_alone = pin == Pin::Yes && runtime.tokio_threads() == all;
        assert_eq!(io, (i64::from(libc::SCHED_OTHER), if is_alone { 1 } else { all }), "{runtime}");
    }
}

#[test]
fn every_thread_has_the_stack_that_was_asked_for() {
    /// More than eight MiB of stack.
    fn deep(n: usize) -> usize {
        let frame = std::hint::black_box([0_u8; 1024]);
        if n == 0 { 0 } else { frame.len() + deep(n - 1) }
    }
    const DEPTH: usize = 8192;
    let builder = LoomBuilder::new().pin(false).tokio_threads(1).rayon_threads(1).local_cores(1);
    let runtime = builder.stack_size(64 << 20).build().expect("the system has memory");
    let depths = runtime.block_on(async {
        let task = runtime.spawn_async(async { deep(DEPTH) }).await;
        let blocking = runtime.spawn_blocking(|| deep(DEPTH)).await;
        let local = runtime.local(0).spawn_with(|| async {
            let blocking = tokio::task::spawn_blocking(|| deep(DEPTH)).await;
            (deep(DEPTH), blocking.ok())
        });
        (task.ok(), blocking.ok(), local.await.ok(), runtime.spawn_compute(|| deep(DEPTH)).await)
    });
    let deep = DEPTH * 1024;
    assert_eq!(depths, (Some(deep), Some(deep), Some((deep, Some(deep))), deep));
}

#[test]
fn placements_and_pins_are_settings() {
    for placement in [Placement::Shared, Placement::Split] {
        for pin in [Pin::Auto, Pin::Yes, Pin::No] {
            let runtime = LoomBuilder::new().placement(placement).pin(pin).build();
            let runtime = runtime.expect("every combination starts");
            assert_eq!(runtime.block_on(runtime.spawn_compute(|| 1)), 1);
        }
    }
}

#[test]
fn every_thread_knows_its_runtime() {
    fn prefix() -> Option<String> {
        loom::current_runtime().map(|runtime| runtime.config().prefix.clone())
    }
    let outer = LoomBuilder::new().prefix("outer").build().expect("it starts");
    let inner = LoomBuilder::new().prefix("inner").build().expect("it starts");
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(prefix(), None);
    outer.block_on(async {
        assert_eq!(prefix(), named("outer"));
        assert_eq!(tokio::spawn(async { prefix() }).await.ok().flatten(), named("outer"));
        let blocking = tokio::task::spawn_blocking(prefix).await;
        assert_eq!(blocking.ok().flatten(), named("outer"));
        assert_eq!(loom::spawn_compute(prefix).await, named("outer"));
        assert_eq!(inner.spawn_compute(prefix).await, named("inner"));
    });
    assert_eq!(prefix(), None);
    // A nested `block_on` on a thread that may block restores the outer context.
    let inner_in_outer = outer.tokio_handle().spawn_blocking(move || {
        let nested = inner.block_on(async { prefix() });
        (nested, prefix())
    });
    let seen = outer.block_on(inner_in_outer).expect("it does not panic");
    assert_eq!(seen, (named("inner"), named("outer")));
}

#[test]
fn handles_can_be_shared_and_described() {
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug + std::fmt::Display>(_: &T) {}
    let runtime = small();
    is_shared(&runtime);
    assert!(format!("{runtime:?}").contains("tokio_threads: 2"));
}
