//! Tasks on one thread.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

use loom::local::{Executor, Spawner};
use tokio::runtime::{Builder, LocalOptions};

use super::column::Column;
use crate::allocations;
use crate::sample::Seen;

/// How many tasks are spawned before any of them runs.
const BATCH: u64 = 32;
const CROWD: u64 = 64;

pub(super) const COLUMNS: &[Column] = &[
    Column { scenario: "spawn", says: "spawned and done, ns", n: 1_000_000, digits: 0 },
    Column { scenario: "crowd", says: "a poll of 64 tasks, ns", n: 2_000_000, digits: 0 },
    Column { scenario: "alone", says: "a poll of one, ns", n: 1_000_000, digits: 0 },
];

/// An executor of one thread.
trait OneThread {
    /// Runs a body on the executor's thread.
    fn run<R, F>(body: impl FnOnce() -> F + Send + 'static) -> R
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static;

    /// Spawns a detached task from that thread.
    fn spawn(future: impl Future<Output = ()> + 'static);
}

/// Each contender is a type, and a line in this list.
macro_rules! contenders {
    ($($name:literal => $kind:ident,)*) => {
        pub(super) const NAMES: &[&str] = &[$($name),*];

        /// One sample of the contender with this name.
        pub(super) fn sample(contender: &str, scenario: &str, n: u64) -> Option<Seen> {
            match contender {
                $($name => sample_of::<$kind>(scenario, n),)*
                _ => None,
            }
        }
    };
}

contenders! {
    "tokio" => Tokio,
    "tokio LocalSet" => LocalSet,
    "nexus-async-rt" => Nexus,
    "loom executor" => ByHand,
    "loom core" => Core,
}

fn sample_of<C: OneThread + 'static>(scenario: &str, n: u64) -> Option<Seen> {
    match scenario {
        "spawn" => Some(C::run(move || async move {
            spawns::<C>(n / 10).await;
            spawns::<C>(n).await
        })),
        "crowd" => Some(C::run(move || polls::<C>(CROWD, n / CROWD))),
        "alone" => Some(C::run(move || polls::<C>(1, n))),
        _ => None,
    }
}

/// Spawns `tasks` tasks in batches, and lets them run.
async fn spawns<C: OneThread>(tasks: u64) -> Seen {
    let done = Rc::new(Cell::new(0));
    let (before, started) = (allocations::count(), Instant::now());
    let mut spawned = 0;
    while spawned < tasks {
        for _ in 0..BATCH {
            let done = Rc::clone(&done);
            C::spawn(async move { done.set(done.get() + 1) });
        }
        spawned += BATCH;
        while done.get() < spawned {
            once_more().await;
        }
    }
    seen(spawned, before, started)
}

/// Runs `tasks` tasks that each wake themselves `times` times.
async fn polls<C: OneThread>(tasks: u64, times: u64) -> Seen {
    let left = Rc::new(Cell::new(tasks));
    let waiting: Rc<RefCell<Option<Waker>>> = Rc::default();
    let (before, started) = (allocations::count(), Instant::now());
    for _ in 0..tasks {
        let (left, waiting) = (Rc::clone(&left), Rc::clone(&waiting));
        C::spawn(async move {
            for _ in 0..times {
                once_more().await;
            }
            left.set(left.get() - 1);
            // The last task wakes the body.
            if left.get() == 0 {
                waiting.take().into_iter().for_each(Waker::wake);
            }
        });
    }
    poll_fn(|cx| {
        waiting.replace(Some(cx.waker().clone()));
        if left.get() == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    seen(tasks * times, before, started)
}

/// Returns `Pending` once, after it has woken its task.
async fn once_more() {
    let mut is_again = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_again, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
fn seen(n: u64, allocations: u64, started: Instant) -> Seen {
    Seen {
        nanos: started.elapsed().as_secs_f64() * 1e9 / n as f64,
        allocations: (allocations::count() - allocations) as f64 / n as f64,
        bytes: 0.0,
    }
}

/// Tokio's runtime of one thread, with its own tasks.
struct Tokio;

impl OneThread for Tokio {
    fn run<R, F>(body: impl FnOnce() -> F + Send + 'static) -> R
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default()).expect("it starts");
        runtime.block_on(async move { tokio::task::spawn_local(body()).await.expect("no panic") })
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        drop(tokio::task::spawn_local(future));
    }
}

struct LocalSet;

impl OneThread for LocalSet {
    fn run<R, F>(body: impl FnOnce() -> F + Send + 'static) -> R
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build().expect("it starts");
        let set = tokio::task::LocalSet::new();
        let task = set.spawn_local(async move { body().await });
        runtime.block_on(set.run_until(task)).expect("no panic")
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        drop(tokio::task::spawn_local(future));
    }
}

/// `nexus-async-rt` with its slab.
struct Nexus;

impl OneThread for Nexus {
    fn run<R, F>(body: impl FnOnce() -> F + Send + 'static) -> R
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let mut world = nexus_rt::WorldBuilder::new().build();
        #[expect(unsafe_code, reason = "its slabs are made so")]
        // SAFETY: the slab requires a single thread, and this runtime has one.
        let slab = unsafe { nexus_async_rt::ByteSlab::<512>::with_chunk_capacity(4096) };
        let mut runtime = nexus_async_rt::Runtime::builder(&mut world).slab_unbounded(slab).build();
        runtime.block_on(async move { nexus_async_rt::spawn_boxed(body()).await })
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        drop(nexus_async_rt::spawn_slab(future));
    }
}

/// Loom's executor alone, driven by hand, without a runtime.
struct ByHand;

thread_local! {
    static SPAWNER: RefCell<Option<Spawner>> = const { RefCell::new(None) };
}

impl OneThread for ByHand {
    fn run<R, F>(body: impl FnOnce() -> F + Send + 'static) -> R
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let mut executor = Executor::new(4096);
        SPAWNER.set(Some(executor.spawner()));
        let result = Rc::new(RefCell::new(None));
        let put = Rc::clone(&result);
        executor.spawn_boxed(async move {
            let seen = body().await;
            put.replace(Some(seen));
        });
        while result.borrow().is_none() {
            executor.poll();
        }
        SPAWNER.take();
        result.take().expect("it was put there")
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        let spawn = |spawner: &Option<Spawner>| {
            spawner.as_ref().map(|spawner| spawner.spawn_slab(future).is_ok())
        };
        assert_eq!(SPAWNER.with_borrow(spawn), Some(true));
    }
}

/// A local core of a Loom runtime, with all its features.
struct Core;

impl OneThread for Core {
    fn run<R, F>(body: impl FnOnce() -> F + Send + 'static) -> R
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let builder = loom::LoomBuilder::new().tokio_threads(1).rayon_threads(1).local_cores(1);
        let runtime = builder.build().expect("it starts");
        let task = runtime.local(0).spawn_with(body);
        runtime.block_on(task).expect("no panic")
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        drop(loom::local::spawn(future));
    }
}
