//! Calls to the compute pool: the queue in which they wait, and how they end.

mod foreign;
mod held;
mod sharing;
mod waits;

use std::future::Future;
use std::panic::panic_any;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

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
    /// Each thread waits until its sender is dropped.
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
    // It can be sent, shared, and used with `?`, as other errors can.
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

/// Runs until it sees that it is cancelled, and then sends a message.
fn endless(told: mpsc::Sender<()>) -> impl FnOnce() + Send + 'static {
    move || {
        while !loom::is_cancelled() {
            std::hint::spin_loop();
        }
        // The receiver may be gone.
        let _ = told.send(());
    }
}

#[test]
fn work_that_runs_learns_that_nobody_wants_it() {
    let runtime = runtime(1);
    let (told, heard) = mpsc::channel();
    let (running, runs) = tokio::sync::oneshot::channel();
    let work = endless(told);
    let call = runtime.spawn_compute(move || {
        running.send(()).expect("the test waits");
        work();
    });
    // Dropped once it runs: a call that is dropped before its start never runs.
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = call => panic!("it stops only when nobody wants it"),
            started = runs => started.expect("it starts"),
        }
    });
    heard.recv().expect("it stops");
    assert!(!loom::is_cancelled(), "outside of any work");
}

#[test]
fn work_that_runs_learns_that_its_runtime_has_ended() {
    let runtime = runtime(1);
    let (told, heard) = mpsc::channel();
    let (running, runs) = mpsc::channel();
    let work = endless(told);
    let call = runtime.spawn_compute(move || {
        running.send(()).expect("the test waits");
        work();
    });
    call.detach();
    // Wait for the start: a call that has not started before the timeout never runs.
    runs.recv().expect("it starts");
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
fn the_order_of_polls_and_wakers_does_not_matter() {
    let runtime = runtime(2);
    runtime.block_on(async {
        for n in 0..1000_u32 {
            let mut call = runtime.spawn_compute(move || n);
            // Polled once with another waker, then awaited in another task.
            if poll_once(&mut call) {
                continue;
            }
            let moved = tokio::spawn(call);
            assert_eq!(moved.await.expect("no panic"), n);
        }
    });
}

/// A task without budget polls the call, which returns `Pending` and does not start.
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
