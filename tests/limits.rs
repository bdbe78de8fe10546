//! Functions with a limit of calls that run at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use loom::{
    ComputeError, ComputePriority, FunctionStats, LoomBuilder, LoomRuntime, Mode, Override,
    try_call,
};
use tokio::sync::Semaphore;

fn runtime(workers: usize, compute: usize) -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(workers)
        .rayon_threads(compute)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("a runtime")
}

fn stats(runtime: &LoomRuntime, name: &str) -> FunctionStats {
    let mut functions = runtime.functions().into_iter();
    functions.find(|function| function.name.ends_with(name)).expect("it was called")
}

/// Counts how many of its guards exist at a time.
#[derive(Default)]
struct AtOnce {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct One(Arc<AtOnce>);

impl AtOnce {
    fn enter(self: &Arc<Self>) -> One {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        One(Arc::clone(self))
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Gives other threads the time to run beside this one.
fn passes() {
    (0..50).for_each(|_| std::thread::yield_now());
}

#[loom::compute(mode = "offload", max_concurrent = 2)]
fn two_on_the_pool(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
    passes();
}

const THREE: u32 = 3;

#[loom::compute(mode = "offload", max_concurrent = THREE)]
async fn three_that_await(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[loom::compute(mode = "inline", max_concurrent = 1)]
fn one_inline(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
    passes();
}

#[loom::compute(max_concurrent = 1)]
fn one_somewhere(at_once: Arc<AtOnce>) {
    let _one = at_once.enter();
}

#[test]
fn no_more_run_at_a_time_on_any_arm() {
    let runtime = runtime(4, 4);
    runtime.block_on(async {
        macro_rules! flood {
            ($function:ident, $most:expr) => {
                let at_once = Arc::new(AtOnce::default());
                let calls: Vec<_> =
                    (0..100).map(|_| loom::spawn_async($function(Arc::clone(&at_once)))).collect();
                for call in calls {
                    call.await.expect("no panic");
                }
                assert!((1..=$most).contains(&at_once.most()), "{}", at_once.most());
                let seen = stats(&runtime, stringify!($function));
                assert_eq!((seen.max_concurrent, seen.at_limit), (Some($most), Some((0, 0))));
            };
        }
        flood!(two_on_the_pool, 2);
        flood!(three_that_await, 3);
        flood!(one_inline, 1);
        flood!(one_somewhere, 1);
    });
    let seen = stats(&runtime, "two_on_the_pool");
    assert_eq!((seen.calls(), seen.returned), (100, 100));
    assert_eq!(stats(&runtime, "one_inline").offloaded, 0);
}

/// Lets threads go on when told.
#[derive(Default)]
struct Door(Mutex<bool>, Condvar);

impl Door {
    fn pass(&self) {
        let open = self.0.lock().expect("no panic");
        drop(self.1.wait_while(open, |open| !*open).expect("no panic"));
    }

    fn open(&self) {
        *self.0.lock().expect("no panic") = true;
        self.1.notify_all();
    }
}

#[loom::compute(mode = "offload", max_concurrent = 1)]
fn holds(door: Arc<Door>, begun: Arc<Semaphore>) {
    begun.add_permits(1);
    door.pass();
}

#[test]
fn a_caller_that_leaves_frees_nothing_before_the_work_has_ended() {
    let runtime = runtime(2, 4);
    let (door, begun) = (Arc::new(Door::default()), Arc::new(Semaphore::new(0)));
    runtime.block_on(async {
        let first = loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        begun.acquire().await.expect("open").forget();
        first.abort();
        assert!(first.await.is_err_and(|error| error.is_cancelled()));
        let refused = try_call(holds(Arc::clone(&door), Arc::clone(&begun))).await;
        assert!(matches!(refused, Err(ComputeError::AtLimit { limit: 1 })), "{refused:?}");
        let told = refused.expect_err("it was refused").to_string();
        assert!(told.starts_with("1 calls of the function run already"), "{told}");
        // One that waits and leaves takes nothing.
        let waits = loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        while stats(&runtime, "holds").at_limit != Some((1, 1)) {
            tokio::task::yield_now().await;
        }
        waits.abort();
        assert!(waits.await.is_err_and(|error| error.is_cancelled()));
        let second = loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        door.open();
        second.await.expect("no panic");
        assert!(try_call(holds(Arc::clone(&door), begun)).await.is_ok());
    });
    runtime.block_until_idle();
    let seen = stats(&runtime, "holds");
    assert_eq!((seen.at_limit, seen.refused, seen.abandoned), (Some((0, 0)), 1, 2), "{seen:?}");
}

#[loom::compute(mode = "offload", max_concurrent = 1)]
fn panics(_n: u32) {
    panic!("as it should");
}

#[loom::compute(mode = "offload", max_concurrent = 1)]
async fn panics_later(_n: u32) {
    tokio::task::yield_now().await;
    panic!("as it should");
}

#[test]
fn a_panic_gives_the_permit_back() {
    let runtime = runtime(1, 1);
    runtime.block_on(async {
        for n in 0..3 {
            for failed in [try_call(panics(n)).await, try_call(panics_later(n)).await] {
                let Err(ComputeError::Panicked(panic)) = failed else { panic!("{failed:?}") };
                assert!(panic.to_string().contains("as it should"));
            }
        }
    });
}

/// Resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the system tells");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number") * 4096
}

/// 19 MiB, as argon2id takes by default.
#[cfg(target_os = "linux")]
fn fills_memory(password: &str) -> u64 {
    let mut memory = Vec::<u8>::with_capacity(19 << 20);
    let first = password.as_bytes()[0];
    // A byte of each page is enough.
    let pages = memory.spare_capacity_mut().iter_mut().step_by(4096);
    let sum = pages.map(|page| u64::from(*page.write(first))).sum();
    std::hint::black_box(memory);
    sum
}

#[cfg(target_os = "linux")]
#[loom::compute(mode = "offload", max_concurrent = 4)]
fn hashes_on_the_pool(password: String) -> u64 {
    fills_memory(&password)
}

#[cfg(target_os = "linux")]
#[loom::compute(mode = "inline", max_concurrent = 4)]
fn hashes_inline(password: String) -> u64 {
    fills_memory(&password)
}

/// 2,000 calls of 19 MiB each, of which a part gives up: the memory of four is taken.
#[cfg(target_os = "linux")]
#[test]
fn a_flood_takes_the_memory_of_the_limit() {
    // In a process of its own, whose memory no other test takes, and whose allocator keeps no freed memory
    // for each thread.
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    if std::env::var_os(ARENAS).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"));
        child.args(["--exact", "a_flood_takes_the_memory_of_the_limit"]);
        assert!(child.env(ARENAS, "1").status().expect("it runs").success());
        return;
    }
    let runtime = runtime(8, 8);
    let before = resident();
    let mut most = 0;
    macro_rules! flood {
        ($hash:ident) => {
            runtime.block_on(async {
                let calls: Vec<_> = (0..2000)
                    .map(|_| loom::spawn_async($hash("correct horse".to_owned())))
                    .collect();
                for (n, call) in calls.into_iter().enumerate() {
                    if n % 3 == 0 {
                        call.abort();
                    } else {
                        call.await.expect("no panic");
                    }
                    most = most.max(resident().saturating_sub(before));
                }
            });
            assert!(most < 150 << 20, "{most} bytes above idle");
        };
    }
    flood!(hashes_on_the_pool);
    flood!(hashes_inline);
    // Each that ran took its memory.
    assert!(most > 19 << 20, "{most} bytes above idle");
}

#[loom::compute(mode = "offload", size = n)]
fn of_size(n: u64, at_once: Arc<AtOnce>) -> u64 {
    let _one = at_once.enter();
    passes();
    n
}

#[test]
fn an_override_limits_a_function_and_lifts_the_limit() {
    let runtime = runtime(4, 4);
    let flood = |calls: u64| {
        let at_once = Arc::new(AtOnce::default());
        runtime.block_on(async {
            let calls: Vec<_> = (0..calls)
                .map(|n| loom::spawn_async(of_size(1 << (n % 20), Arc::clone(&at_once))))
                .collect();
            for call in calls {
                call.await.expect("no panic");
            }
        });
        at_once.most()
    };
    flood(1);
    let over = Override::none().with_max_concurrent(1);
    assert_eq!(runtime.override_function("limits::of_size", over).functions, 1);
    assert_eq!(flood(40), 1, "whatever the size");
    assert_eq!(stats(&runtime, "of_size").max_concurrent, Some(1));
    let more = Override::from(Mode::Inline).with_max_concurrent(2);
    runtime.override_function("limits::of_size", more);
    assert!(flood(40) <= 2);
    runtime.override_function("limits::of_size", Override::none());
    assert_eq!(stats(&runtime, "of_size").max_concurrent, None);
    flood(40);
}

#[test]
fn the_layer_is_told_of_a_wait_for_the_limit() {
    let runtime = runtime(2, 4);
    let (door, begun) = (Arc::new(Door::default()), Arc::new(Semaphore::new(0)));
    let wait = || runtime.would_wait_for("limits::held_long", Duration::from_millis(5));
    runtime.block_on(async {
        for _ in 0..8 {
            held_long(None).await;
        }
        assert_eq!(wait(), None);
        let first = loom::spawn_async(held_long(Some((Arc::clone(&door), Arc::clone(&begun)))));
        begun.acquire().await.expect("open").forget();
        let waiting: Vec<_> = (0..4).map(|_| loom::spawn_async(held_long(None))).collect();
        while stats(&runtime, "held_long").at_limit != Some((1, 4)) {
            tokio::task::yield_now().await;
        }
        let expected = wait().expect("five calls of two milliseconds are before it");
        assert!(expected >= Duration::from_millis(8), "{expected:?}");
        door.open();
        first.await.expect("no panic");
        for call in waiting {
            call.await.expect("no panic");
        }
        assert_eq!(wait(), None);
    });
}

#[loom::compute(mode = "offload", max_concurrent = 1)]
fn held_long(held: Option<(Arc<Door>, Arc<Semaphore>)>) {
    if let Some((door, begun)) = held {
        begun.add_permits(1);
        door.pass();
    } else {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
    }
}

#[test]
fn a_shutdown_waits_for_those_that_wait() {
    let runtime = runtime(2, 2);
    let (door, begun) = (Arc::new(Door::default()), Arc::new(Semaphore::new(0)));
    let calls: Vec<_> = runtime.block_on(async {
        let call = || loom::spawn_async(holds(Arc::clone(&door), Arc::clone(&begun)));
        let calls = (0..3).map(|_| call()).collect();
        begun.acquire().await.expect("open").forget();
        while stats(&runtime, "holds").at_limit != Some((1, 2)) {
            tokio::task::yield_now().await;
        }
        calls
    });
    runtime.shutdown();
    door.open();
    runtime.block_until_idle();
    assert_eq!(stats(&runtime, "holds").limit_waits.count(), 2);
    assert!(calls.iter().all(tokio::task::JoinHandle::is_finished));
}
