//! Calls that end in every way, whose callers leave at every moment, chosen by a seed.
//!
//! `LOOM_STRESS_KEPT` is the number of calls of one runtime, `LOOM_STRESS_DROPPED` the number of
//! runtimes that are dropped while their calls run; both defaults are small. `LOOM_STRESS_SEED`
//! repeats a run, as far as the timing of threads allows. Run under `AddressSanitizer` and
//! valgrind, which find errors that no assertion can.

use std::env;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use loom::{ComputeError, ComputePriority, LoomBuilder, LoomRuntime, Priority, TryComputeFuture};
use tokio::task::yield_now;

/// Calls in flight at a time.
const CALLERS: usize = 32;
/// How often to check whether every value has been dropped; more often than ever needed.
const PATIENCE: usize = 50_000_000;

/// How many values are alive, to check that each is dropped once.
#[derive(Default)]
struct Alive(AtomicUsize);

/// A value that is counted while it lives, and whose drop panics on request.
struct Value {
    alive: Arc<Alive>,
    panics: bool,
    /// A heap block, so that a tool sees a use after the drop.
    check: Box<u64>,
}

impl Value {
    fn new(alive: &Arc<Alive>, panics: bool) -> Self {
        alive.0.fetch_add(1, Ordering::Relaxed);
        Self { alive: Arc::clone(alive), panics, check: Box::new(0x5EED) }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert_eq!(*self.check, 0x5EED);
        self.alive.0.fetch_sub(1, Ordering::Relaxed);
        assert!(!self.panics, "a drop that panics, as told");
    }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 8).expect("64 bits") % n
    }
}

/// How far the work has come, for callers that leave at a certain moment.
#[derive(Default)]
struct Progress(AtomicUsize);

const STARTED: usize = 1;
const ENDING: usize = 2;

impl Progress {
    async fn reaches(&self, step: usize) {
        while self.0.load(Ordering::Acquire) < step {
            yield_now().await;
        }
    }
}

/// A call that will end in one of three ways: it returns, it panics, or what it captured or
/// returned panics when it is dropped.
fn call(
    runtime: &LoomRuntime,
    alive: &Arc<Alive>,
    random: &mut Random,
    progress: &Arc<Progress>,
) -> TryComputeFuture<Value> {
    let ending = random.below(3);
    // Only one of the two: a second panic while the first unwinds would abort the program.
    let is_captured = random.below(2) == 0;
    let captured = Value::new(alive, ending == 2 && is_captured);
    let result = Value::new(alive, ending == 2 && !is_captured);
    let (steps, progress) = (random.below(200), Arc::clone(progress));
    let padding = [0_u8; 64];
    let work = move || {
        progress.0.store(STARTED, Ordering::Release);
        for step in 0..steps {
            std::hint::black_box(&padding[step % padding.len()]);
        }
        progress.0.store(ENDING, Ordering::Release);
        if ending == 1 {
            panic::panic_any(result);
        }
        // Dropped explicitly: rustc leaks a return value when a drop at the function's end panics.
        drop(captured);
        result
    };
    let priorities = [Priority::Low, Priority::Normal, Priority::High];
    runtime.try_spawn_compute_with_priority(priorities[random.below(3)], work)
}

/// Drops a value whose drop may panic.
fn drop_quietly<T>(value: T) {
    let _panic = catch_unwind(AssertUnwindSafe(|| drop(value)));
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Ends the caller's wait at a random moment.
async fn go(mut call: TryComputeFuture<Value>, progress: &Progress, random: &mut Random) {
    // A first poll with another waker.
    if random.below(4) == 0
        && let Poll::Ready(outcome) = poll_once(&mut call)
    {
        return end(outcome);
    }
    match random.below(6) {
        0 | 1 => end(call.await),
        // Dropped, perhaps before it starts.
        2 => {
            if let Poll::Ready(outcome) = poll_once(&mut call) {
                return end(outcome);
            }
            drop_quietly(call);
        }
        // Dropped while it runs, or just as it completes.
        moment @ (3 | 4) => {
            if let Poll::Ready(outcome) = poll_once(&mut call) {
                return end(outcome);
            }
            progress.reaches(if moment == 3 { STARTED } else { ENDING }).await;
            drop_quietly(call);
        }
        // Detached, perhaps without any poll.
        _ => drop_quietly(catch_unwind(AssertUnwindSafe(|| call.detach()))),
    }
}

fn end(outcome: Result<Value, ComputeError>) {
    match outcome {
        Ok(value) => drop_quietly(value),
        Err(error) => drop_quietly(error.into_panic()),
    }
}

/// Waits until the threads of runtimes with this prefix have ended: a leak checker would report
/// the memory of threads that are still ending. Where the system does not list threads, the
/// function returns at once, and a leak report may be false.
fn until_threads_have_ended(prefix: &str) {
    let is_ours = |task: std::io::Result<std::fs::DirEntry>| {
        let name = task.and_then(|task| std::fs::read_to_string(task.path().join("comm")));
        name.is_ok_and(|name| name.starts_with(prefix))
    };
    while std::fs::read_dir("/proc/self/task").is_ok_and(|mut tasks| tasks.any(is_ours)) {
        std::thread::yield_now();
    }
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |n| n.parse().expect("a number"))
}

fn seed() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seed = number("LOOM_STRESS_SEED", clock.as_secs() ^ u64::from(clock.subsec_nanos()));
    println!("LOOM_STRESS_SEED={seed}");
    // The tests cause thousands of panics, which are not printed.
    panic::set_hook(Box::new(|info| {
        let is_ours = info.payload().is::<Value>() || info.to_string().contains("as told");
        if !is_ours {
            eprintln!("{info}");
        }
    }));
    seed
}

#[test]
fn calls_of_a_runtime_that_stays() {
    let (seed, rounds) = (seed(), number("LOOM_STRESS_KEPT", 20_000));
    // Callers poll without rest for a start, which threads of the idle class would never make.
    let builder = LoomBuilder::new().compute_priority(ComputePriority::Normal);
    let builder = builder.prefix("stays").tokio_threads(2).rayon_threads(2);
    let runtime = builder.build().expect("it starts");
    let alive = Arc::new(Alive::default());
    let callers: Vec<_> = (0..CALLERS as u64)
        .map(|caller| {
            let (runtime, alive) = (runtime.clone(), Arc::clone(&alive));
            let mut random = Random((seed ^ caller.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
            runtime.clone().spawn_async(async move {
                for _ in 0..rounds.div_ceil(CALLERS as u64) {
                    let progress = Arc::new(Progress::default());
                    let call = call(&runtime, &alive, &mut random, &progress);
                    go(call, &progress, &mut random).await;
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for caller in callers {
            caller.await.expect("no panic gets out");
        }
    });
    runtime.block_until_idle();
    assert_eq!(alive.0.load(Ordering::Relaxed), 0, "seed {seed}");
    drop(runtime);
    until_threads_have_ended("stays");
}

#[test]
fn calls_of_a_runtime_that_goes() {
    let (seed, rounds) = (seed(), number("LOOM_STRESS_DROPPED", 100));
    let host = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    let host = host.expect("tokio starts");
    let mut random = Random(seed | 1);
    for round in 0..rounds {
        let alive = Arc::new(Alive::default());
        let builder = LoomBuilder::new().compute_priority(ComputePriority::Normal);
        let builder = builder.prefix("goes").rayon_threads(2);
        let runtime = builder.beside(host.handle().clone()).build();
        let runtime = runtime.expect("it starts");
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let progress = Arc::new(Progress::default());
                let call = call(&runtime, &alive, &mut random, &progress);
                // The call may never start now, so no caller waits for its start.
                let is_awaited = random.below(2) == 0;
                host.spawn(async move {
                    let mut call = call;
                    if is_awaited {
                        return end(call.await);
                    }
                    match poll_once(&mut call) {
                        Poll::Ready(outcome) => end(outcome),
                        Poll::Pending => drop_quietly(call),
                    }
                })
            })
            .collect();
        match random.below(3) {
            0 => drop(runtime),
            1 => drop(host.spawn(async move { drop(runtime) })),
            _ => drop(runtime.shutdown_background()),
        }
        host.block_on(async {
            for caller in callers {
                caller.await.expect("no panic gets out");
            }
            // Calls that still run drop their results when they end.
            for _ in 0..PATIENCE {
                if alive.0.load(Ordering::Relaxed) == 0 {
                    return;
                }
                yield_now().await;
            }
            panic!("round {round}, seed {seed}: something was never dropped");
        });
    }
    until_threads_have_ended("goes");
}
