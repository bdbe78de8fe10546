//! Runs the two ends of a call under the model checker.

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use loom_model::sync::atomic::{AtomicUsize, Ordering};
use loom_model::sync::{Arc, Notify};
use loom_model::thread;

use super::complete::Job;
use super::held::{Held, Holding};
use super::{Call, End, Fault, Observer, Priority, call};
use crate::sync::Arc as StdArc;
use crate::sync::explore::{explore, reach};

/// Counts how calls ended.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) returned: AtomicUsize,
    cancelled: AtomicUsize,
    abandoned: AtomicUsize,
    refused: AtomicUsize,
    /// Results that were dropped.
    dropped: AtomicUsize,
    /// Unwanted results that were not dropped yet when the observer ended.
    late: AtomicUsize,
}

impl Ends {
    /// How the call of the model ended.
    fn name(&self) -> &'static str {
        let is = |count: &AtomicUsize| count.load(Ordering::Relaxed) == 1;
        match self {
            ends if is(&ends.returned) => "returned",
            ends if is(&ends.cancelled) => "cancelled",
            ends if is(&ends.abandoned) => "abandoned",
            _ => "refused",
        }
    }

    pub(super) fn all(&self) -> usize {
        [&self.returned, &self.cancelled, &self.abandoned, &self.refused]
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

pub(super) struct Counted(pub(super) Arc<Ends>);

impl Observer for Counted {
    type After = ();

    fn may_start(&self) -> bool {
        true
    }

    fn withdraw(&self) {}

    fn end(self, end: End, unwanted: bool) {
        let is_gone = self.0.dropped.load(Ordering::Relaxed) > 0;
        if unwanted && !is_gone {
            self.0.late.fetch_add(1, Ordering::Relaxed);
        }
        let count = match end {
            End::Returned if unwanted => &self.0.abandoned,
            End::Returned => &self.0.returned,
            End::Cancelled => &self.0.cancelled,
            End::Refused | End::Panicked => &self.0.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A result that counts its drop.
pub(super) struct Value(pub(super) Arc<Ends>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted() -> (Arc<Ends>, Job, Call<Value>) {
    let ends = Arc::new(Ends::default());
    let value = Value(Arc::clone(&ends));
    let (job, call) = call(move || value, Counted(Arc::clone(&ends)), Priority::Normal);
    (ends, job, call)
}

/// Wakes a thread of the model. `Wake` requires std's `Arc`.
struct Waking(Arc<Notify>);

impl Wake for Waking {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

pub(super) fn waker() -> (Arc<Notify>, Waker) {
    let notify = Arc::new(Notify::new());
    let waker = Waker::from(StdArc::new(Waking(Arc::clone(&notify))));
    (notify, waker)
}

/// The most preemptions in one run of a model of two threads.
const PREEMPTIONS: usize = 4;

#[test]
fn a_waiting_caller_is_woken() {
    explore(PREEMPTIONS, &["ready at once", "woken"], || {
        let (ends, job, call) = counted();
        let worker = thread::spawn(move || job.start().map(super::complete::Started::run));
        let (notify, waker) = waker();
        let mut call = pin!(call);
        for polls in 0.. {
            match call.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(Ok(value)) => {
                    reach(if polls == 0 { "ready at once" } else { "woken" });
                    drop(value);
                    break;
                }
                Poll::Ready(Err(_)) => panic!("the closure returned"),
                Poll::Pending => notify.wait(),
            }
        }
        worker.join().expect("no panic");
        assert_eq!(ends.returned.load(Ordering::Relaxed), 1);
        assert_eq!(ends.dropped.load(Ordering::Relaxed), 1);
    });
}

/// The waker changes with every poll; the last waker is woken.
#[test]
fn the_last_waker_is_woken() {
    explore(PREEMPTIONS, &["ready at once", "woken"], || {
        let (_ends, job, call) = counted();
        let worker = thread::spawn(move || job.start().map(super::complete::Started::run));
        let mut call = pin!(call);
        for round in 0.. {
            let (notify, waker) = waker();
            match call.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(_) => {
                    reach(if round == 0 { "ready at once" } else { "woken" });
                    break;
                }
                // Three wakers meet the job in every state; then the caller waits.
                Poll::Pending if round >= 2 => notify.wait(),
                Poll::Pending => {}
            }
        }
        worker.join().expect("no panic");
    });
}

/// Gives the call up at any moment after this many polls. The closure runs or is dropped, the
/// result is dropped once, the observer ends once, and no memory is touched after it was freed.
fn gives_up_after(polls: usize, branches: &[&str]) {
    explore(PREEMPTIONS, branches, move || {
        let (ends, job, mut call) = counted();
        let worker = thread::spawn(move || job.start().map(super::complete::Started::run));
        let mut is_ready = false;
        for _ in 0..polls {
            let (_notify, waker) = waker();
            is_ready =
                is_ready || pin!(&mut call).poll(&mut Context::from_waker(&waker)).is_ready();
        }
        drop(call);
        worker.join().expect("no panic");
        reach(ends.name());
        assert_eq!(ends.all(), 1);
        assert_eq!(ends.late.load(Ordering::Relaxed), 0);
        assert_eq!(ends.dropped.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_detached_call_ends_without_its_caller() {
    gives_up_after(0, &["returned"]);
}

#[test]
fn a_call_is_given_up_at_any_moment() {
    gives_up_after(1, &["abandoned", "cancelled", "returned"]);
}

#[test]
fn a_call_is_given_up_after_its_waker_changed() {
    gives_up_after(2, &["abandoned", "cancelled", "returned"]);
}

#[test]
fn a_refused_call_is_told() {
    explore(PREEMPTIONS, &["ready at once", "woken"], || {
        let (ends, job, mut call) = counted();
        let worker = thread::spawn(move || drop(job));
        let (notify, waker) = waker();
        for polls in 0.. {
            match pin!(&mut call).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => {
                    reach(if polls == 0 { "ready at once" } else { "woken" });
                    assert!(matches!(outcome, Err(Fault::Refused)));
                    break;
                }
                Poll::Pending => notify.wait(),
            }
        }
        worker.join().expect("no panic");
        assert_eq!(ends.refused.load(Ordering::Relaxed), 1);
    });
}

/// Counts its wakes.
#[derive(Default)]
struct Woken(crate::sync::atomic::AtomicUsize);

impl Wake for Woken {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A drainer holds two wakers, and wakes what it holds, while another thread does the same.
#[test]
fn held_wakers_are_woken_once_whoever_wakes_them() {
    explore(PREEMPTIONS, &["the drainer waits for nobody", "the keeper waits for nobody"], || {
        let held = Arc::new(Held::default());
        let keeper = thread::spawn({
            let held = Arc::clone(&held);
            move || held.wake_all()
        });
        let woken: [_; 2] = std::array::from_fn(|_| StdArc::new(Woken::default()));
        let mut holding = Holding::of(Some(&held));
        holding.runs(0, Some(10));
        for woken in &woken {
            holding.hold_or_wake(Waker::from(StdArc::clone(woken)), || true, || 16);
        }
        drop(holding);
        keeper.join().expect("no panic");
        assert!(woken.iter().all(|woken| woken.0.load(Ordering::Relaxed) == 1));
    });
}
