//! Calls that wait: for locks, for parallel work, and for other calls. A compute thread runs one
//! call at a time, and where that call waits, no other call runs on top of it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use loom::{ComputePriority, LoomBuilder, LoomRuntime};
use rayon::prelude::*;

use crate::poll_once;

/// Runs a test on pools of several sizes, in both classes.
pub(crate) fn on_each_pool(test: impl Fn(LoomRuntime)) {
    for threads in [1, 2, 4] {
        for priority in [ComputePriority::Idle, ComputePriority::Normal] {
            test(pool(threads, priority));
        }
    }
}

/// How often to do on this pool what is done `full` times on a pool of normal priority. Busy neighbours
/// leave an idle-class thread 3 ms of CPU time in a second.
fn times(runtime: &LoomRuntime, full: usize) -> usize {
    let is_idle = runtime.config().compute_priority == ComputePriority::Idle;
    if is_idle { full.div_ceil(20) } else { full }
}

fn pool(threads: usize, priority: ComputePriority) -> LoomRuntime {
    let builder = LoomBuilder::new().tokio_threads(2).rayon_threads(threads);
    builder.compute_priority(priority).build().expect("it starts")
}

/// The threads that belong to this runtime's spares.
fn spares(runtime: &LoomRuntime) -> usize {
    runtime.spare_threads()
}

#[test]
fn independent_calls_may_each_hold_a_lock_across_parallel_work() {
    on_each_pool(|runtime| {
        let lock = Arc::new(Mutex::new(0));
        let callers = times(&runtime, 200);
        let calls: Vec<_> = (0..callers)
            .map(|_| {
                let lock = Arc::clone(&lock);
                runtime.spawn_compute(move || {
                    let mut sum = lock.lock().expect("not poisoned");
                    *sum += (0..2_000_u64).into_par_iter().map(|n| n % 2).sum::<u64>();
                })
            })
            .collect();
        runtime.block_on(async {
            for call in calls {
                call.await;
            }
        });
        assert_eq!(*lock.lock().expect("not poisoned"), callers as u64 * 1_000);
    });
}

/// Work that was given to the pool itself holds a lock while it waits for its other half. A call
/// that needs the lock must not run above it.
#[test]
fn no_call_runs_above_work_of_the_pool_that_waits() {
    on_each_pool(|runtime| {
        let lock = Arc::new(Mutex::new(()));
        for _ in 0..times(&runtime, 20) {
            let calls: Vec<_> = (0..8)
                .map(|_| {
                    let lock = Arc::clone(&lock);
                    runtime.spawn_compute(move || drop(lock.lock().expect("not poisoned")))
                })
                .collect();
            runtime.install(|| {
                let _held = lock.lock().expect("not poisoned");
                (0..64_u64).into_par_iter().for_each(|_| thread::yield_now());
            });
            runtime.block_on(async {
                for call in calls {
                    call.await;
                }
            });
        }
    });
}

#[test]
fn calls_may_wait_for_a_service_that_needs_their_pool() {
    on_each_pool(|runtime| {
        let callers = times(&runtime, 66);
        let calls: Vec<_> = (0..callers)
            .map(|n| {
                let own = runtime.clone();
                runtime.spawn_compute(move || {
                    let served = own.clone();
                    let request =
                        own.spawn_async(async move { served.spawn_compute(move || n).await });
                    own.block_on(request).expect("no panic")
                })
            })
            .collect();
        runtime.block_on(async {
            for (call, n) in calls.into_iter().zip(0..) {
                assert_eq!(call.await, n);
            }
        });
        assert!((1..=callers).contains(&spares(&runtime)), "{}", spares(&runtime));
    });
}

#[test]
fn waits_may_be_nested_as_deep_as_there_may_be_spares() {
    fn descend(runtime: LoomRuntime, depth: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
        Box::pin(async move {
            let own = runtime.clone();
            let call = runtime.spawn_compute(move || match depth {
                0 => 0,
                _ => 1 + own.block_on(descend(own.clone(), depth - 1)),
            });
            call.await
        })
    }
    on_each_pool(|runtime| {
        let depth = times(&runtime, 40);
        assert_eq!(runtime.block_on(descend(runtime.clone(), depth)), depth);
    });
    let builder = LoomBuilder::new().rayon_threads(1).max_spares(3);
    let runtime = builder.build().expect("it starts");
    assert_eq!(runtime.block_on(descend(runtime.clone(), 3)), 3);
    let own = runtime.clone();
    let too_deep = runtime.spawn_async(async move { descend(own.clone(), 4).await });
    let panicked = runtime.block_on(too_deep).expect_err("it is too deep").into_panic();
    assert_eq!(
        panicked.downcast_ref::<String>().map(String::as_str),
        Some(
            "a compute thread cannot wait here, since 3 wait already, and `max_spares` is 3: await \
             in async code instead of blocking in compute calls, or raise `max_spares`"
        )
    );
    assert_eq!(runtime.block_on(descend(runtime.clone(), 3)), 3, "the places have come back");
}

#[test]
fn calls_that_yield_do_not_pile_up() {
    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }
    on_each_pool(|runtime| {
        let deepest = Arc::new(AtomicUsize::new(0));
        for _ in 0..times(&runtime, 3_000) {
            let deepest = Arc::clone(&deepest);
            let call = runtime.spawn_compute(move || {
                DEPTH.set(DEPTH.get() + 1);
                deepest.fetch_max(DEPTH.get(), Ordering::Relaxed);
                for _ in 0..4 {
                    rayon::yield_now();
                }
                DEPTH.set(DEPTH.get() - 1);
            });
            call.detach();
        }
        runtime.block_until_idle();
        assert_eq!(deepest.load(Ordering::Relaxed), 1, "each ran on its own");
    });
}

tokio::task_local! {
    static TENANT: u32;
}

#[loom::compute(mode = "offload", carry(TENANT))]
fn tenant() -> Option<u32> {
    TENANT.try_with(|tenant| *tenant).ok()
}

/// Borrows the task-local while it waits, so it could not be hidden from a call above this one.
#[loom::compute(mode = "offload", carry(TENANT))]
fn waits_within_a_borrow(next: u32) -> Option<u32> {
    TENANT.with(|_| {
        let task = loom::spawn(TENANT.scope(next, async { tenant().await }));
        loom::block_on(task).expect("no panic")
    })
}

#[test]
fn a_task_local_may_be_borrowed_while_a_call_waits() {
    on_each_pool(|runtime| {
        let own = runtime.clone();
        let seen = runtime.block_on(TENANT.scope(1, async move {
            own.spawn_async(TENANT.scope(2, async { waits_within_a_borrow(3).await })).await
        }));
        assert_eq!(seen.expect("no panic"), Some(3));
        let without = runtime.block_on(async { tokio::spawn(async { tenant().await }).await });
        assert_eq!(without.expect("no panic"), None);
    });
}

fn until(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        thread::yield_now();
    }
}

/// Waits within a borrow of the task-local for the other thread, which runs a scope. A piece of the scope
/// must not see the value, and comes to this thread, since the other one does nothing but wait.
#[loom::compute(mode = "offload", carry(TENANT))]
fn takes_a_piece_that_waits(runtime: LoomRuntime) -> u32 {
    let (has_begun, is_taken) = (AtomicBool::new(false), AtomicBool::new(false));
    let scope = || {
        has_begun.store(true, Ordering::Relaxed);
        let mut answer = 0;
        let mut scope = Box::pin(runtime.scope_compute(|scope| {
            scope.spawn(|_| {
                is_taken.store(true, Ordering::Relaxed);
                answer = runtime.block_on(runtime.spawn_compute(|| 7));
            });
            until(&is_taken);
        }));
        assert!(poll_once(&mut scope), "it ends within the poll");
        drop(scope);
        answer
    };
    TENANT.with(|_| rayon::join(|| until(&has_begun), scope).1)
}

#[test]
fn a_piece_on_a_thread_of_its_own_may_wait_for_a_call() {
    let runtime = pool(2, ComputePriority::Normal);
    let own = runtime.clone();
    let answer = TENANT.scope(1, async move { takes_a_piece_that_waits(own).await });
    assert_eq!(runtime.block_on(answer), 7);
}

/// A call is abandoned while it waits. It is told, and the call that runs meanwhile is not.
#[test]
fn a_call_that_waits_is_told_that_it_was_abandoned() {
    on_each_pool(|runtime| {
        let (waiting, waits) = mpsc::channel();
        let (told, hears) = mpsc::channel();
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let own = runtime.clone();
        let mut abandoned = runtime.spawn_compute(move || {
            waiting.send(()).expect("it is waited for");
            let _ = own.block_on(receiver);
            told.send(loom::is_cancelled()).expect("it is heard");
        });
        let _pending = poll_once(&mut abandoned);
        waits.recv().expect("it starts");
        drop(abandoned);
        assert!(runtime.block_on(runtime.spawn_compute(|| !loom::is_cancelled())));
        drop(sender);
        assert_eq!(hears.recv(), Ok(true));
    });
}

#[test]
fn whatever_blocks_may_say_so() {
    on_each_pool(|runtime| {
        let (sender, receiver) = mpsc::channel();
        let waits = runtime.spawn_compute(move || loom::block_in_place(|| receiver.recv()));
        // More calls than threads: the last one sends what all of them wait for.
        let others: Vec<_> = (0..8)
            .map(|_| runtime.spawn_compute(|| loom::block_in_place(thread::yield_now)))
            .collect();
        runtime.spawn_compute(move || sender.send(7)).detach();
        assert_eq!(runtime.block_on(waits), Ok(7));
        runtime.block_on(async {
            for other in others {
                other.await;
            }
        });
    });
    // On other threads it is a call, or what tokio has.
    assert_eq!(loom::block_in_place(|| 1), 1);
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let tokio = tokio.expect("it starts");
    let (sender, receiver) = mpsc::channel();
    let waits = tokio.spawn(async move { loom::block_in_place(move || receiver.recv()) });
    tokio.spawn(async move { sender.send(2) });
    assert_eq!(tokio.block_on(waits).expect("no panic"), Ok(2));
    let current = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    assert_eq!(current.block_on(async { loom::block_in_place(|| 3) }), 3);
}

#[test]
fn a_spare_is_a_compute_thread_by_name_and_priority() {
    let runtime = pool(1, ComputePriority::Normal);
    let own = runtime.clone();
    let names = runtime.block_on(runtime.spawn_compute(move || {
        let name = || thread::current().name().map(str::to_owned);
        (name(), own.block_on(own.spawn_compute(name)), own.rayon_threads())
    }));
    let expected = ("loom-rayon-0000".to_owned(), "loom-spare-0000".to_owned());
    assert_eq!(names, (Some(expected.0), Some(expected.1), 1));
    assert_eq!(spares(&runtime), 1);
}

/// The last handle is dropped while calls are queued. Their captures use other runtimes when they
/// are dropped, old ones and new ones.
#[test]
fn the_destructor_of_a_refused_call_may_use_other_runtimes() {
    struct Uses(LoomRuntime, mpsc::Sender<u8>);
    impl Drop for Uses {
        fn drop(&mut self) {
            let new = pool(1, ComputePriority::Normal);
            let sum = self.0.block_on(self.0.spawn_compute(|| 1)) + new.block_on(async { 1 });
            self.1.send(sum).expect("it is heard");
        }
    }
    on_each_pool(|runtime| {
        let other = pool(1, ComputePriority::Normal);
        let (told, hears) = mpsc::channel();
        let (started, starts) = mpsc::channel();
        let releases: Vec<_> = (0..runtime.rayon_threads())
            .map(|_| {
                let (release, released) = mpsc::channel::<()>();
                let started = started.clone();
                runtime
                    .spawn_compute(move || {
                        started.send(()).expect("it is waited for");
                        released.recv().expect_err("it is only ever let go");
                    })
                    .detach();
                release
            })
            .collect();
        for _ in &releases {
            starts.recv().expect("each starts");
        }
        for _ in 0..4 {
            let uses = Uses(other.clone(), told.clone());
            runtime.spawn_compute(move || drop(uses)).detach();
        }
        drop((runtime, told));
        drop(releases);
        assert_eq!(hears.iter().collect::<Vec<_>>(), [2; 4]);
    });
}

/// The place is lent and given back again and again, while the spare comes and goes.
#[test]
fn a_call_may_wait_again_and_again() {
    on_each_pool(|runtime| {
        let own = runtime.clone();
        let waits = times(&runtime, 2_000);
        let sum = runtime.spawn_compute(move || {
            (0..waits).map(|n| own.block_on(own.spawn_compute(move || n % 2))).sum::<usize>()
        });
        assert_eq!(runtime.block_on(sum), waits / 2);
        assert!(runtime.spare_threads() <= 1, "{}", runtime.spare_threads());
    });
}

#[test]
fn a_thread_lends_its_place_once() {
    let builder = LoomBuilder::new().rayon_threads(1).max_spares(1);
    let runtime = builder.build().expect("it starts");
    let own = runtime.clone();
    let waits = runtime
        .spawn_compute(move || loom::block_in_place(|| own.block_on(own.spawn_compute(|| 7))));
    assert_eq!(runtime.block_on(waits), 7);
}

/// The last handle is dropped while a call is about to wait for a queued one, which nobody runs any
/// more.
#[test]
fn a_call_that_waits_at_the_end_of_its_runtime_is_told() {
    for priority in [ComputePriority::Idle, ComputePriority::Normal] {
        let runtime = pool(1, priority);
        let (told, hears) = mpsc::channel();
        let (queued, of_queued) = mpsc::channel::<u8>();
        let (release, released) = mpsc::channel::<()>();
        let (started, starts) = mpsc::channel();
        let waits = move || {
            started.send(()).expect("it is waited for");
            released.recv().expect_err("it is only ever let go");
            let answer = loom::block_in_place(|| of_queued.recv());
            told.send(answer).expect("it is heard");
        };
        runtime.spawn_compute(waits).detach();
        runtime.spawn_compute(move || queued.send(1)).detach();
        starts.recv().expect("it starts");
        drop(runtime);
        drop(release);
        assert!(hears.recv().expect("it ends").is_err(), "the queued call was refused");
    }
}
