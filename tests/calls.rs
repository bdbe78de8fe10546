//! Calls to the compute pool: the line in which they wait, and how they end.

use std::future::Future;
use std::panic::panic_any;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;

use loom::{ComputeError, ComputePriority, LoomBuilder, LoomRuntime, Priority};

fn runtime(compute_threads: usize) -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(2)
        .rayon_threads(compute_threads)
        .compute_priority(ComputePriority::Normal)
        .compute_queue(3)
        .build()
        .expect("it starts")
}

/// Keeps every compute thread busy until it is dropped.
struct Busy {
    /// What each waits for the end of.
    _senders: Vec<mpsc::Sender<()>>,
}

impl Busy {
    fn keep(runtime: &LoomRuntime) -> Self {
        let (started, all) = mpsc::channel();
        let threads = runtime.rayon_threads();
        let senders = (0..threads).map(|_| {
            let (sender, end) = mpsc::channel::<()>();
            let started = started.clone();
            let work = move || {
                started.send(()).expect("it is waited for");
                end.recv().expect_err("it is only ever let go");
            };
            runtime.spawn_compute_with_priority(Priority::High, work).detach();
            sender
        });
        let busy = Self { _senders: senders.collect() };
        for _ in 0..threads {
            all.recv().expect("each starts");
        }
        busy
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

type Log = Arc<Mutex<Vec<usize>>>;

fn logging(log: &Log, n: usize) -> impl FnOnce() + Send + 'static {
    let log = Arc::clone(log);
    move || log.lock().expect("not poisoned").push(n)
}

#[test]
fn a_full_queue_refuses_at_once_and_the_plain_form_stands_in_line() {
    let runtime = runtime(1);
    let busy = Busy::keep(&runtime);
    let log = Log::default();
    let waiting: Vec<_> = (0..3).map(|n| runtime.try_spawn_compute(logging(&log, n))).collect();
    let refused = runtime.block_on(runtime.try_spawn_compute(|| unreachable!("it is refused")));
    assert!(matches!(refused, Err(ComputeError::QueueFull { limit: 3 })), "{refused:?}");
    let refused = runtime.try_spawn_compute(|| ()).detach();
    assert_eq!(
        refused.expect_err("it is full").to_string(),
        "3 compute calls wait already: try later, shed load, or raise `compute_queue`"
    );
    let late: Vec<_> = (3..10).map(|n| runtime.spawn_compute(logging(&log, n))).collect();
    drop(busy);
    runtime.block_on(async {
        for call in waiting {
            call.await.expect("it ran");
        }
        for call in late {
            call.await;
        }
    });
    let log = log.lock().expect("not poisoned");
    assert!(log.iter().copied().eq(0..10), "each in its turn: {log:?}");
}

#[test]
fn a_cancelled_call_makes_room_and_drops_what_it_captured() {
    let runtime = runtime(1);
    let busy = Busy::keep(&runtime);
    let captured = Arc::new(());
    let mut calls: Vec<_> = (0..3)
        .map(|_| {
            let captured = Arc::clone(&captured);
            runtime.spawn_compute(move || drop(captured))
        })
        .collect();
    assert!(calls.iter_mut().all(|call| !poll_once(call)));
    assert!(runtime.try_spawn_compute(|| ()).detach().is_err());
    drop(calls);
    assert_eq!(Arc::strong_count(&captured), 1, "nothing waits for a compute thread");
    assert_eq!(runtime.compute_tasks_in_flight(), 1);
    let next = runtime.try_spawn_compute(|| 42);
    drop(busy);
    assert_eq!(runtime.block_on(next).expect("there is room"), 42);
}

#[test]
fn what_matters_more_goes_first_but_not_for_ever() {
    let runtime = runtime(1);
    let busy = Busy::keep(&runtime);
    let log = Log::default();
    runtime.spawn_compute_with_priority(Priority::Low, logging(&log, 0)).detach();
    runtime.spawn_compute(logging(&log, 1)).detach();
    for _ in 0..50 {
        runtime.spawn_compute_with_priority(Priority::High, logging(&log, 2)).detach();
    }
    drop(busy);
    runtime.block_until_idle();
    let log = log.lock().expect("not poisoned");
    assert_eq!(log.len(), 52);
    assert!(log[..16].iter().all(|n| *n == 2));
    assert_eq!(log[16..18], [0, 1]);
}

#[test]
fn the_try_form_tells_what_went_wrong() {
    let runtime = runtime(2);
    let panicked =
        runtime.block_on(runtime.try_spawn_compute(|| -> () { panic!("{}", "out of ink") }));
    let panicked = panicked.expect_err("it panicked");
    assert_eq!(panicked.to_string(), "compute work panicked: out of ink");
    let payload = panicked.into_panic().expect("it panicked");
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("out of ink"));
    let odd = runtime.block_on(runtime.try_spawn_compute(|| -> () { panic_any(7_u8) }));
    assert_eq!(odd.expect_err("it panicked").to_string(), "compute work panicked");
    runtime.block_until_idle();
    let refused = runtime.block_on(runtime.try_spawn_compute(|| ()));
    assert!(matches!(refused, Err(ComputeError::ShutDown)), "{refused:?}");
    // As other errors are: to be sent, shared, and asked with `?`.
    let _error: Box<dyn std::error::Error + Send + Sync> =
        refused.expect_err("it was refused").into();
}

#[test]
fn queued_work_of_an_ended_runtime_is_refused() {
    let runtime = runtime(1);
    let busy = Busy::keep(&runtime);
    let copy = runtime.clone();
    let call = runtime.try_spawn_compute(|| unreachable!("the runtime has gone"));
    runtime.shutdown_background();
    drop(busy);
    let refused = copy.block_on(call);
    assert!(matches!(refused, Err(ComputeError::ShutDown)), "{refused:?}");
}

/// Runs until it is told that nobody wants it, and says so.
fn endless(told: mpsc::Sender<()>) -> impl FnOnce() + Send + 'static {
    move || {
        while !loom::is_cancelled() {
            std::hint::spin_loop();
        }
        // Nobody may be left to hear it.
        let _ = told.send(());
    }
}

#[test]
fn work_that_runs_learns_that_nobody_wants_it() {
    let runtime = runtime(1);
    let (told, heard) = mpsc::channel();
    let call = runtime.spawn_compute(endless(told));
    let late =
        runtime.block_on(async { tokio::time::timeout(Duration::from_millis(1), call).await });
    assert!(late.is_err());
    heard.recv().expect("it stops");
    assert!(!loom::is_cancelled(), "outside of any work");
}

#[test]
fn work_that_runs_learns_that_its_runtime_has_ended() {
    let runtime = runtime(1);
    let (told, heard) = mpsc::channel();
    runtime.spawn_compute(endless(told)).detach();
    let left = runtime.shutdown_timeout(Duration::from_millis(1));
    assert_eq!(left.compute_calls, 1);
    heard.recv().expect("it stops");
}

#[test]
fn detached_work_is_wanted() {
    let runtime = runtime(1);
    let (answer, heard) = mpsc::channel();
    let mut call = runtime.spawn_compute({
        let (go, gone) = mpsc::channel::<()>();
        thread::spawn(move || drop(go));
        move || {
            let _ = gone.recv();
            answer.send(loom::is_cancelled())
        }
    });
    let _pending = poll_once(&mut call);
    call.detach();
    assert_eq!(heard.recv(), Ok(false));
}

#[test]
fn a_call_within_a_call_is_asked_for_itself() {
    let runtime = runtime(1);
    let (told, heard) = mpsc::channel();
    let of_call = runtime.clone();
    let call = runtime.spawn_compute(move || {
        let before = loom::is_cancelled();
        // Runs on this very thread, while it waits.
        let inner = of_call.block_on(of_call.spawn_compute(loom::is_cancelled));
        told.send([before, inner, loom::is_cancelled()])
    });
    runtime.block_on(call).expect("it is heard");
    assert_eq!(heard.recv(), Ok([false; 3]));
}

/// Calls pour in from many tasks until all of `installs` are through, and the other way
/// round: whoever starved the other would never end.
#[test]
fn neither_calls_nor_installed_work_starve_the_other() {
    let runtime = runtime(2);
    let (done, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let (runtime, done, calls) = (runtime.clone(), Arc::clone(&done), Arc::clone(&calls));
            runtime.clone().spawn_async(async move {
                while !done.load(Ordering::Relaxed) {
                    let calls = Arc::clone(&calls);
                    runtime.spawn_compute(move || calls.fetch_add(1, Ordering::Relaxed)).await;
                }
            })
        })
        .collect();
    for _ in 0..200 {
        let sum: u64 = runtime.install(|| (0..10_000_u64).into_par_iter().sum());
        assert_eq!(sum, 49_995_000);
    }
    let before = calls.load(Ordering::Relaxed);
    assert!(before > 0, "calls ran beside installed work");
    done.store(true, Ordering::Relaxed);
    runtime.block_on(async {
        for caller in callers {
            caller.await.expect("no panic");
        }
    });

    // Now the pool's own work never ends until enough calls have.
    let over = Arc::new(AtomicBool::new(false));
    let installers: Vec<_> = (0..4)
        .map(|_| {
            let (runtime, over) = (runtime.clone(), Arc::clone(&over));
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    runtime.install(|| (0..1_000_u64).into_par_iter().sum::<u64>());
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for n in 0..200_usize {
            assert_eq!(runtime.spawn_compute(move || n * 2).await, n * 2);
        }
    });
    over.store(true, Ordering::Relaxed);
    for installer in installers {
        installer.join().expect("no panic");
    }
}

/// Calls that split their work, beside calls that pour in.
#[test]
fn work_that_joins_ends_while_calls_pour_in() {
    let runtime = runtime(2);
    let done = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let (runtime, done) = (runtime.clone(), Arc::clone(&done));
            runtime.clone().spawn_async(async move {
                while !done.load(Ordering::Relaxed) {
                    runtime.spawn_compute(|| ()).await;
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for _ in 0..50 {
            let sum = runtime.spawn_compute(|| {
                let halves = rayon::join(
                    || (0..5_000_u64).into_par_iter().sum::<u64>(),
                    || (5_000..10_000_u64).into_par_iter().sum::<u64>(),
                );
                halves.0 + halves.1
            });
            assert_eq!(sum.await, 49_995_000);
        }
        done.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.expect("no panic");
        }
    });
}

#[test]
fn the_order_of_polls_and_wakers_does_not_matter() {
    let runtime = runtime(2);
    runtime.block_on(async {
        for n in 0..1000_u32 {
            let mut call = runtime.spawn_compute(move || n);
            // Polled by hand with another waker, then awaited in another task.
            if poll_once(&mut call) {
                continue;
            }
            let moved = tokio::spawn(call);
            assert_eq!(moved.await.expect("no panic"), n);
        }
    });
}

/// The one thread that is up runs another drainer while its call waits, and that one's call
/// waits for a third: the other thread has to be fetched for it.
#[test]
fn two_drainers_on_one_thread_do_not_keep_the_other_away() {
    let runtime = runtime(2);
    let (holding, held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    // One thread is busy with the pool's own work.
    runtime.rayon_pool().spawn(move || {
        holding.send(()).expect("it is waited for");
        released.recv().expect_err("it is only ever let go");
    });
    held.recv().expect("it starts");
    let (sender, receiver) = mpsc::channel();
    let (nested, is_nested) = mpsc::channel();
    let of_call = runtime.clone();
    let outer = runtime.spawn_compute(move || {
        let answer = Arc::new(AtomicUsize::new(0));
        let of_inner = Arc::clone(&answer);
        let inner = move || {
            nested.send(()).expect("it is waited for");
            let answer = receiver.recv().expect("the third call sends it");
            of_inner.store(answer, Ordering::Release);
        };
        of_call.spawn_compute(inner).detach();
        // Comes upon the drainer that was fetched for it.
        while answer.load(Ordering::Acquire) == 0 {
            rayon::yield_now();
        }
        answer.load(Ordering::Acquire)
    });
    is_nested.recv().expect("the second call runs above the first");
    drop(release);
    runtime.spawn_compute(move || sender.send(42)).detach();
    assert_eq!(runtime.block_on(outer), 42);
}

#[test]
fn dropping_a_result_may_wait_for_another_call() {
    struct Waits(LoomRuntime, mpsc::Sender<u8>);
    impl Drop for Waits {
        fn drop(&mut self) {
            let (sender, receiver) = mpsc::channel();
            self.0.spawn_compute(move || sender.send(7)).detach();
            // The other thread runs it, since this one is not about to.
            let heard = receiver.recv().expect("the call runs");
            self.1.send(heard).expect("it is waited for");
        }
    }
    let runtime = runtime(2);
    let (sender, receiver) = mpsc::channel();
    let result = Waits(runtime.clone(), sender);
    runtime.spawn_compute(move || result).detach();
    assert_eq!(receiver.recv(), Ok(7));
}

/// A task that has used up its budget polls, and gets no further than to be told to wait.
#[test]
fn whoever_was_told_to_wait_and_goes_has_given_up() {
    let runtime = runtime(1);
    let busy = Busy::keep(&runtime);
    let ran = Arc::new(AtomicBool::new(false));
    let task = {
        let (runtime, ran) = (runtime.clone(), Arc::clone(&ran));
        runtime.clone().spawn_async(async move {
            while tokio::task::coop::has_budget_remaining() {
                let spent = pin!(tokio::task::consume_budget());
                let _ = spent.poll(&mut Context::from_waker(Waker::noop()));
            }
            let mut call = runtime.spawn_compute(move || ran.store(true, Ordering::Relaxed));
            assert!(!poll_once(&mut call));
        })
    };
    runtime.block_on(task).expect("no panic");
    drop(busy);
    runtime.block_until_idle();
    assert!(!ran.load(Ordering::Relaxed), "it never started");
}

/// A call that waits has another one run above it, and is abandoned meanwhile.
#[test]
fn work_above_an_abandoned_call_is_wanted() {
    let runtime = runtime(1);
    let (waiting, waits) = mpsc::channel();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let of_call = runtime.clone();
    let mut abandoned = runtime.spawn_compute(move || {
        waiting.send(()).expect("it is waited for");
        let _ = of_call.block_on(receiver);
    });
    let _pending = poll_once(&mut abandoned);
    waits.recv().expect("it starts");
    drop(abandoned);
    // Only that thread is there to run it.
    let wanted = runtime.block_on(runtime.spawn_compute(|| !loom::is_cancelled()));
    drop(sender);
    assert!(wanted);
}
