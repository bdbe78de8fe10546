//! What a call allocates: nothing, except to wake an idle pool.
//!
//! `LOOM_ALLOC_CALLS` sets how many calls of each kind are counted; the default is small. With it,
//! the number of wakes is limited, too, so the machine has to be quiet.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};

use loom::{ComputeHint, ComputePriority, LoomBuilder, LoomRuntime};
use tokio::sync::Semaphore;

/// What one warning allocates: on a busy machine, compute threads starve, and the process says so
/// once.
const WARNING: u64 = 16;

/// What the records of a function allocate at most: each of two histograms once for every two powers
/// of two.
const RECORDS: u64 = 2 * 19;

const CALLS: &str = "LOOM_ALLOC_CALLS";

static COUNT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The requests of this thread.
    static OF_THREAD: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts the requests that it receives.
struct Counting;

fn count_one() {
    COUNT.fetch_add(1, Ordering::Relaxed);
    OF_THREAD.set(OF_THREAD.get() + 1);
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
// SAFETY: every method forwards its arguments to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: the caller's promise about `layout` is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `alloc` or `realloc` here, and so from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count_one();
        // SAFETY: as for `dealloc`, and the caller's promise about `new_size` is passed on.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Makes calls that capture `CAPTURED` bytes and return `RETURNED` bytes.
async fn make<const CAPTURED: usize, const RETURNED: usize>(runtime: LoomRuntime, calls: u64) {
    for n in 0..calls {
        let captured = [n.to_le_bytes()[0]; CAPTURED];
        let result = runtime.spawn_compute(move || {
            black_box(&captured);
            [captured.first().copied().unwrap_or_default(); RETURNED]
        });
        let result = result.await;
        assert!(result.iter().all(|byte| Some(byte) == captured.first() || CAPTURED == 0));
    }
}

/// The allocations and pool wakes of `calls` calls, made by `callers` tasks.
fn count<const CAPTURED: usize, const RETURNED: usize>(
    runtime: &LoomRuntime,
    callers: u64,
    calls: u64,
) -> (u64, u64) {
    let each = calls / callers;
    let gate = Arc::new(Semaphore::new(0));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let (gate, runtime) = (Arc::clone(&gate), runtime.clone());
                tokio::spawn(async move {
                    let _open = gate.acquire().await;
                    make::<CAPTURED, RETURNED>(runtime, each).await;
                })
            })
            .collect();
        // The tasks are allocated before the count starts; what they allocate is counted.
        let (allocations, wakes) = (COUNT.load(Ordering::Relaxed), runtime.compute_wakes());
        gate.add_permits(tasks.len());
        for task in tasks {
            task.await.expect("no panic");
        }
        (COUNT.load(Ordering::Relaxed) - allocations, runtime.compute_wakes() - wakes)
    })
}

/// The allocations and wakes of calls that are polled once and dropped. One call is awaited
/// after each 32.
fn given_up(runtime: &LoomRuntime, calls: u64) -> (u64, u64) {
    runtime.block_on(async {
        let (allocations, wakes) = (COUNT.load(Ordering::Relaxed), runtime.compute_wakes());
        for _ in 0..calls / 32 {
            for _ in 0..32 {
                let mut call = pin!(runtime.spawn_compute(|| [0_u8; 100]));
                let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
            runtime.spawn_compute(|| ()).await;
        }
        (COUNT.load(Ordering::Relaxed) - allocations, runtime.compute_wakes() - wakes)
    })
}

/// The same for adaptive calls that are dropped; every second one is polled first.
fn undecided(runtime: &LoomRuntime, calls: u64) -> (u64, u64) {
    runtime.block_on(async {
        let (allocations, wakes) = (COUNT.load(Ordering::Relaxed), runtime.compute_wakes());
        for n in 0..calls {
            let call = runtime.spawn_adaptive_with_hint(ComputeHint::High, || black_box([0_u8; 8]));
            let mut call = pin!(call);
            if n % 2 == 0 {
                let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
            if n % 32 == 1 {
                call.await;
            }
        }
        (COUNT.load(Ordering::Relaxed) - allocations, runtime.compute_wakes() - wakes)
    })
}

#[loom::compute(hint = "low", size = n)]
fn next(n: u64) -> u64 {
    black_box(n) + 1
}

/// The allocations and wakes of annotated calls that take almost no time.
fn settled(runtime: &LoomRuntime, calls: u64) -> (u64, u64) {
    runtime.block_on(async {
        let (allocations, wakes) = (COUNT.load(Ordering::Relaxed), runtime.compute_wakes());
        for _ in 0..calls {
            black_box(next(7).await);
        }
        (COUNT.load(Ordering::Relaxed) - allocations, runtime.compute_wakes() - wakes)
    })
}

/// What a local core's thread allocates for tasks that it spawns, 32 at a time, and runs to their ends.
/// Threads of the pool, which a busy machine starts late, allocate meanwhile.
fn on_a_core(runtime: &LoomRuntime, tasks: u64) -> u64 {
    let counted = runtime.local(0).spawn_with(move || async move {
        let before = OF_THREAD.get();
        for _ in 0..tasks / 32 {
            let handles: [_; 32] =
                std::array::from_fn(|n| loom::local::spawn(async move { black_box(n) }));
            for (n, handle) in handles.into_iter().enumerate() {
                assert_eq!(handle.await.ok(), Some(n));
            }
        }
        OF_THREAD.get() - before
    });
    runtime.block_on(counted).expect("no panic")
}

fn check<const CAPTURED: usize, const RETURNED: usize>(runtime: &LoomRuntime, calls: u64) {
    for callers in [1, 64] {
        // The pool of blocks is warm once it has the blocks that are in use at a time and the two
        // chains of 32 that each thread caches. 512 callers suffice for that.
        count::<CAPTURED, RETURNED>(runtime, 512, 512 * 8);
        count::<CAPTURED, RETURNED>(runtime, callers, calls / 4);
        // A busy machine delays callers for longer than a drainer lingers, which adds wakes without
        // limit. So they are looked at where the number of calls is set, on a quiet machine, and one
        // undisturbed count of twenty is enough.
        let is_limited = env::var_os(CALLS).is_some();
        let tries = if is_limited { 20 } else { 1 };
        let mut counts =
            (0..tries).map(|_| wakes_of::<CAPTURED, RETURNED>(runtime, callers, calls));
        let are_few = counts.any(|wakes| wakes <= calls / 100 + 1);
        assert!(are_few || !is_limited, "more wakes than one in 100 calls");
    }
}

/// How often the pool was woken. Checks that only wakes have allocated.
fn wakes_of<const CAPTURED: usize, const RETURNED: usize>(
    runtime: &LoomRuntime,
    callers: u64,
    calls: u64,
) -> u64 {
    let (allocations, wakes) = count::<CAPTURED, RETURNED>(runtime, callers, calls);
    println!(
        "{CAPTURED} bytes captured, {RETURNED} returned, {callers} callers: {allocations} \
         allocations and {wakes} wakes in {calls} calls"
    );
    // A box for each job that wakes the pool, and a block of the pool's queue for every 63 jobs.
    assert_only_wakes(allocations, wakes);
    wakes
}

fn assert_only_wakes(allocations: u64, wakes: u64) {
    let most = wakes + wakes.div_ceil(20) + 1 + WARNING + RECORDS;
    assert!(allocations <= most, "{allocations} allocations, {wakes} wakes");
}

#[test]
fn calls_allocate_nothing_once_warm() {
    let calls = env::var(CALLS);
    let calls = calls.map_or(10_000, |calls| calls.parse().expect("a number of calls"));
    // A change of the class would start threads, which allocates.
    let fixed = ComputePriority::Normal;
    let builder = LoomBuilder::new().tokio_threads(2).rayon_threads(2).compute_priority(fixed);
    let runtime = builder.build();
    let runtime = runtime.expect("it starts");
    check::<0, 0>(&runtime, calls);
    check::<8, 8>(&runtime, calls);
    check::<100, 256>(&runtime, calls);
    check::<400, 0>(&runtime, calls);
    check::<400, 256>(&runtime, calls);
    check::<0, 256>(&runtime, calls);

    // Nor do abandoned calls, once a compute thread has collected them.
    given_up(&runtime, calls / 4);
    let (allocations, wakes) = given_up(&runtime, calls);
    println!("given up: {allocations} allocations and {wakes} wakes in {calls} calls");
    assert_only_wakes(allocations, wakes);

    // Nor do decisions whose call is abandoned.
    undecided(&runtime, calls / 4);
    let (allocations, wakes) = undecided(&runtime, calls);
    println!("decided and given up: {allocations} allocations, {wakes} wakes in {calls} calls");
    assert_only_wakes(allocations, wakes);

    // Nor do settled calls, except for an occasional re-test of the other arm.
    settled(&runtime, calls / 4);
    let (allocations, wakes) = settled(&runtime, calls);
    println!("settled: {allocations} allocations and {wakes} wakes in {calls} calls");
    assert_only_wakes(allocations, wakes);
    assert!(wakes <= calls / 1000 + 1, "{wakes} wakes in {calls} calls");

    // Their blocks are reused even while every compute thread is busy.
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let busy: Vec<_> = (0..runtime.rayon_threads())
        .map(|_| {
            let held = Arc::clone(&held);
            runtime.spawn_compute(move || held.lock().is_ok_and(|held| held.recv().is_err()))
        })
        .collect();
    let before = COUNT.load(Ordering::Relaxed);
    for _ in 0..10_000 {
        let mut call = pin!(runtime.spawn_compute(|| [0_u8; 900]));
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    let allocations = COUNT.load(Ordering::Relaxed) - before;
    drop(release);
    runtime.block_on(async {
        for call in busy {
            assert!(call.await);
        }
    });
    println!("given up while nobody comes by: {allocations} allocations in 10000 calls");
    assert!(allocations < 500, "{allocations}");

    // A call that is too large for a block costs one.
    count::<4000, 0>(&runtime, 1, 100);
    let (allocations, wakes) = count::<4000, 0>(&runtime, 1, 1000);
    assert!((1000..=1000 + 2 * wakes + 2).contains(&allocations), "{allocations}, {wakes} wakes");

    // Tasks of a local core allocate nothing at all.
    let cores = LoomBuilder::new().tokio_threads(1).rayon_threads(1).local_cores(1).build();
    let cores = cores.expect("it starts");
    on_a_core(&cores, 1000);
    let allocations = on_a_core(&cores, calls);
    println!("on a local core: {allocations} allocations in {calls} tasks");
    assert_eq!(allocations, 0);
}
