//! Runs a handle, wakers and drainers under the model checker.

use std::env;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use loom_model::sync::atomic::{AtomicUsize, Ordering};
use loom_model::sync::{Arc, Mutex, Notify};
use loom_model::thread::{self, JoinHandle};

use super::super::model::waker;
use super::super::outcome::{End, Fault};
use super::Handle;
use super::test_host::{Seen, TestHost};
use crate::scheduler::Wake;
use crate::sync::Arc as StdArc;
use crate::sync::explore::{explore, reach};

/// The most preemptions in one run.
const PREEMPTIONS: usize = 2;

/// The same for a model of three threads that takes long.
fn few_preemptions() -> usize {
    if env::var_os("LOOM_SHORT_MODELS").is_some() { 1 } else { PREEMPTIONS }
}

/// What a future of the model waits for.
struct Gate {
    is_open: AtomicUsize,
    waker: Mutex<Option<Waker>>,
    /// How often a future, or its result, was dropped.
    dropped: AtomicUsize,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            is_open: AtomicUsize::new(0),
            waker: Mutex::new(None),
            dropped: AtomicUsize::new(0),
        })
    }

    /// Opens the gate, and wakes who waits.
    fn open(&self) {
        // Relaxed: only the wake makes the poll see it.
        self.is_open.store(1, Ordering::Relaxed);
        let waker = self.waker.lock().expect("no panic").take();
        if let Some(waker) = waker {
            reach("wakes");
            waker.wake();
        }
    }
}

/// Waits until the gate is open.
struct Waits(Arc<Gate>, Result);

impl Future for Waits {
    type Output = Result;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result> {
        let Self(gate, _) = &*self;
        *gate.waker.lock().expect("no panic") = Some(cx.waker().clone());
        if gate.is_open.load(Ordering::Relaxed) == 0 {
            return Poll::Pending;
        }
        *gate.waker.lock().expect("no panic") = None;
        Poll::Ready(Result(Arc::clone(gate)))
    }
}

/// A result, and a capture, which counts its drop.
struct Result(Arc<Gate>);

impl Drop for Result {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls the handle once. Polls that are its turn go where the host says.
fn poll(
    handle: &mut Handle<Result, TestHost>,
    waker: &Waker,
) -> Poll<super::super::Outcome<Result>> {
    handle.poll(&mut Context::from_waker(waker), &mut |host, _turn, wake, poll| {
        // Where polls alternate, the first one goes to the pool.
        let may_alternate = wake == Wake::Begin || !host.0.alternates;
        if may_alternate && host.0.goes_to_queue() {
            return Some(super::super::outcome::Queueing::default());
        }
        reach("polls here");
        poll();
        None
    })
}

/// A thread that runs jobs as they come.
struct Pool {
    seen: StdArc<Seen>,
    pushed: Arc<Notify>,
    is_over: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Pool {
    fn new(place: usize, alternates: bool) -> Self {
        let (pushed, is_over) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let seen = Seen {
            place: place.into(),
            alternates,
            pushed: Some(Box::new({
                let pushed = Arc::clone(&pushed);
                move || pushed.notify()
            })),
            ..Seen::default()
        };
        let seen = StdArc::new(seen);
        let thread = thread::spawn({
            let (seen, pushed, is_over) =
                (StdArc::clone(&seen), Arc::clone(&pushed), Arc::clone(&is_over));
            move || {
                loop {
                    while seen.run_job() {
                        reach("polls on the pool");
                    }
                    if is_over.load(Ordering::Acquire) == 1 {
                        break;
                    }
                    pushed.wait();
                }
            }
        });
        Self { seen, pushed, is_over, thread }
    }

    /// Ends the thread, which first runs what there is.
    fn join(self) {
        self.is_over.store(1, Ordering::Release);
        self.pushed.notify();
        self.thread.join().expect("no panic");
        while self.seen.run_job() {}
    }
}

fn shared(gate: &Arc<Gate>, seen: &StdArc<Seen>) -> Handle<Result, TestHost> {
    let mut handle = Handle::new(Waits(Arc::clone(gate), Result(Arc::clone(gate))));
    handle.share(TestHost(StdArc::clone(seen)), 0, Wake::Begin);
    handle
}

/// Awaits a future that another thread wakes; its polls go first to the queue if `place` is even, and
/// alternate if the test says so.
fn awaits(place: usize, alternates: bool, branches: &'static [&'static str]) {
    explore(few_preemptions(), branches, move || {
        let gate = Gate::new();
        let pool = Pool::new(place, alternates);
        let seen = StdArc::clone(&pool.seen);
        let mut handle = shared(&gate, &seen);
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open()
        });
        let (notify, waker) = waker();
        loop {
            match poll(&mut handle, &waker) {
                Poll::Ready(outcome) => {
                    drop(outcome.unwrap_or_else(|_| panic!("it was not refused")));
                    break;
                }
                Poll::Pending => notify.wait(),
            }
        }
        opener.join().expect("no panic");
        pool.join();
        assert_eq!(seen.ends(), [(End::Returned, false)]);
        assert_eq!(gate.dropped.load(Ordering::Relaxed), 2);
        assert_eq!(seen.waiting.load(Ordering::Relaxed), 0);
        assert_eq!(seen.in_flight.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_wake_is_never_lost_on_the_pool() {
    awaits(0, false, &["polls on the pool", "wakes"]);
}

#[test]
fn a_wake_is_never_lost_here() {
    awaits(1, false, &["polls here", "wakes"]);
}

#[test]
fn a_wake_is_never_lost_between_the_pool_and_here() {
    awaits(0, true, &["polls here", "polls on the pool", "wakes"]);
}

/// Gives the handle up after one poll, at any moment.
fn is_given_up(place: usize, branches: &'static [&'static str]) {
    explore(PREEMPTIONS, branches, move || {
        let gate = Gate::new();
        let pool = Pool::new(place, false);
        let seen = StdArc::clone(&pool.seen);
        let mut handle = shared(&gate, &seen);
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open()
        });
        let (_notify, waker) = waker();
        let outcome = poll(&mut handle, &waker);
        drop(handle);
        let is_ready = outcome.is_ready();
        drop(outcome);
        opener.join().expect("no panic");
        pool.join();
        drop(gate.waker.lock().expect("no panic").take());
        let ends = seen.ends();
        assert_eq!(ends.len(), 1);
        reach(match ends[0] {
            (End::Cancelled, true) => "cancelled",
            (End::Returned, true) => "abandoned",
            (End::Returned, false) => "returned",
            _ => "otherwise",
        });
        assert_eq!(
            gate.dropped.load(Ordering::Relaxed),
            if ends[0].0 == End::Returned { 2 } else { 1 }
        );
        assert!(!is_ready || ends[0] == (End::Returned, false));
        assert_eq!(seen.waiting.load(Ordering::Relaxed), 0);
        assert_eq!(seen.in_flight.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_future_on_the_pool_is_given_up_at_any_moment() {
    is_given_up(0, &["abandoned", "cancelled", "polls on the pool", "returned", "wakes"]);
}

#[test]
fn a_future_of_this_task_is_given_up_at_any_moment() {
    is_given_up(1, &["cancelled", "polls here", "returned", "wakes"]);
}

#[test]
fn a_detached_future_ends_by_itself() {
    explore(PREEMPTIONS, &["polls on the pool", "wakes"], || {
        let gate = Gate::new();
        let pool = Pool::new(0, false);
        let seen = StdArc::clone(&pool.seen);
        let mut handle = shared(&gate, &seen);
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open()
        });
        let begun =
            handle.start(&mut |_, _, _, _| Some(super::super::outcome::Queueing::default()));
        assert!(begun.is_pending());
        drop(handle);
        opener.join().expect("no panic");
        pool.join();
        assert_eq!(seen.ends(), [(End::Returned, false)]);
        assert_eq!(gate.dropped.load(Ordering::Relaxed), 2);
    });
}

/// The waker of the task changes with each poll; the last one is woken.
#[test]
fn the_last_waker_of_the_task_is_woken() {
    // The owner takes a waker, another one, and the first place is used again.
    explore(PREEMPTIONS + 1, &["polls on the pool"], || {
        let gate = Gate::new();
        let pool = Pool::new(0, false);
        let seen = StdArc::clone(&pool.seen);
        let mut handle = shared(&gate, &seen);
        gate.open();
        for round in 0.. {
            let (notify, waker) = waker();
            match poll(&mut handle, &waker) {
                Poll::Ready(_) => break,
                Poll::Pending if round >= 2 => notify.wait(),
                Poll::Pending => {}
            }
        }
        pool.join();
    });
}

/// The runtime ends: a job is dropped instead of run.
#[test]
fn a_refused_future_is_told() {
    explore(PREEMPTIONS, &["is told"], || {
        let gate = Gate::new();
        let seen = StdArc::new(Seen::default());
        let mut handle = shared(&gate, &seen);
        let (notify, waker) = waker();
        assert!(poll(&mut handle, &waker).is_pending());
        let end = thread::spawn({
            let seen = StdArc::clone(&seen);
            move || drop(seen.next_job())
        });
        let outcome = loop {
            notify.wait();
            if let Poll::Ready(outcome) = poll(&mut handle, &waker) {
                break outcome;
            }
        };
        assert!(matches!(outcome, Err(Fault::Refused)));
        reach("is told");
        end.join().expect("no panic");
        assert_eq!(seen.ends(), [(End::Refused, false)]);
    });
}
