//! Runs the two ends of a call, and submitters against drainers, under the model checker.

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use loom_model::sync::atomic::{AtomicUsize, Ordering};
use loom_model::sync::{Arc, Notify};
use loom_model::thread;

use super::complete::Job;
use super::{Call, Drainer, Draining, End, Fault, Generation, Observer, Priority, Queue, call};
use crate::sync::Arc as StdArc;

/// Counts how calls ended.
#[derive(Default)]
struct Ends {
    returned: AtomicUsize,
    cancelled: AtomicUsize,
    abandoned: AtomicUsize,
    refused: AtomicUsize,
    /// Results that were dropped.
    dropped: AtomicUsize,
    /// Unwanted results that were not dropped yet when the observer ended.
    late: AtomicUsize,
}

impl Ends {
    fn all(&self) -> usize {
        [&self.returned, &self.cancelled, &self.abandoned, &self.refused]
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

struct Counted(Arc<Ends>);

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
struct Value(Arc<Ends>);

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

fn waker() -> (Arc<Notify>, Waker) {
    let notify = Arc::new(Notify::new());
    let waker = Waker::from(StdArc::new(Waking(Arc::clone(&notify))));
    (notify, waker)
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    model_with(4, f);
}

/// Runs the model with at most this many preemptions.
fn model_with(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom_model::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

#[test]
fn a_waiting_caller_is_woken() {
    model(|| {
        let (ends, job, call) = counted();
        let worker = thread::spawn(move || job.start().map(super::complete::Started::run));
        let (notify, waker) = waker();
        let mut call = pin!(call);
        loop {
            match call.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(Ok(value)) => break drop(value),
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
    model(|| {
        let (_ends, job, call) = counted();
        let worker = thread::spawn(move || job.start().map(super::complete::Started::run));
        let mut call = pin!(call);
        for round in 0.. {
            let (notify, waker) = waker();
            match call.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(_) => break,
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
fn gives_up_after(polls: usize) {
    model(move || {
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
        assert_eq!(ends.all(), 1);
        assert_eq!(ends.late.load(Ordering::Relaxed), 0);
        assert_eq!(ends.dropped.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_detached_call_ends_without_its_caller() {
    gives_up_after(0);
}

#[test]
fn a_call_is_given_up_at_any_moment() {
    gives_up_after(1);
}

#[test]
fn a_call_is_given_up_after_its_waker_changed() {
    gives_up_after(2);
}

#[test]
fn a_refused_call_is_told() {
    model(|| {
        let (ends, job, mut call) = counted();
        let worker = thread::spawn(move || drop(job));
        let (notify, waker) = waker();
        loop {
            match pin!(&mut call).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => break assert!(matches!(outcome, Err(Fault::Refused))),
                Poll::Pending => notify.wait(),
            }
        }
        worker.join().expect("no panic");
        assert_eq!(ends.refused.load(Ordering::Relaxed), 1);
    });
}

/// A drainer that retires as soon as it may.
struct Hasty {
    queue: Arc<Queue>,
    fetched: Vec<thread::JoinHandle<()>>,
    /// Retires with each job, as a nested drainer does.
    is_nested: bool,
}

impl Drainer for Hasty {
    fn fetch(&mut self, generation: Generation) {
        self.fetched.push(fetch(&self.queue, generation, self.is_nested));
    }

    fn takes_more(&self) -> bool {
        !self.is_nested
    }

    fn between(&mut self, _draining: &Draining<'_>, _is_searching: bool) {}

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        thread::yield_now();
        false
    }
}

fn fetch(queue: &Arc<Queue>, generation: Generation, is_nested: bool) -> thread::JoinHandle<()> {
    let queue = Arc::clone(queue);
    thread::spawn(move || {
        let mut drainer = Hasty { queue: Arc::clone(&queue), fetched: Vec::new(), is_nested };
        queue.drain(generation, &mut drainer);
        for fetched in drainer.fetched {
            fetched.join().expect("no panic");
        }
    })
}

/// Submits one job, and fetches a drainer if one is needed.
fn put(queue: &Arc<Queue>, ends: &Arc<Ends>, is_nested: bool) -> Option<thread::JoinHandle<()>> {
    let value = Value(Arc::clone(ends));
    let place = queue.enter(usize::MAX).expect("no limit");
    let (job, call) = call(move || value, Counted(Arc::clone(ends)), Priority::Normal);
    let generation = place.submit(job);
    drop(call);
    generation.map(|generation| fetch(queue, generation, is_nested))
}

fn submit(queue: &Arc<Queue>, ends: &Arc<Ends>, jobs: usize, is_nested: bool) {
    let fetched: Vec<_> = (0..jobs).filter_map(|_| put(queue, ends, is_nested)).collect();
    for fetched in fetched {
        fetched.join().expect("no panic");
    }
}

/// Only the drainers empty the queue, so a job that they leave is lost, and the model reports it.
///
/// It has fewer preemptions than the other models, since it has up to four threads of many steps.
fn nothing_is_left(drainers: usize, jobs: [usize; 2], is_nested: bool) {
    model_with(2, move || {
        let queue = Arc::new(Queue::new(drainers));
        let ends = Arc::new(Ends::default());
        let other = {
            let (queue, ends) = (Arc::clone(&queue), Arc::clone(&ends));
            thread::spawn(move || submit(&queue, &ends, jobs[1], is_nested))
        };
        submit(&queue, &ends, jobs[0], is_nested);
        other.join().expect("no panic");
        assert_eq!(ends.returned.load(Ordering::Relaxed), jobs[0] + jobs[1]);
        assert_eq!(queue.waiting(), 0);
    });
}

#[test]
fn what_is_submitted_while_a_drainer_goes_home_is_run() {
    nothing_is_left(1, [1, 1], false);
}

#[test]
fn what_is_submitted_again_is_run() {
    nothing_is_left(1, [2, 0], false);
}

#[test]
fn two_drainers_leave_nothing_between_them() {
    nothing_is_left(2, [1, 1], false);
}

#[test]
fn what_a_drainer_leaves_that_goes_early_is_run() {
    nothing_is_left(1, [1, 1], true);
}

/// Submits jobs while the generation changes this often. A job that is lost, or a count that a
/// superseded drainer changes, shows at the end.
fn nothing_is_left_by_a_change(drainers: usize, changes: usize, is_nested: bool) {
    model_with(2, move || {
        let queue = Arc::new(Queue::new(drainers));
        let ends = Arc::new(Ends::default());
        let submitter = {
            let (queue, ends) = (Arc::clone(&queue), Arc::clone(&ends));
            thread::spawn(move || submit(&queue, &ends, 1, is_nested))
        };
        let mut fetched = Vec::new();
        let mut changed = 0;
        for _ in 0..changes {
            let is_changed = queue.supersede_drainers(|generation| {
                fetched.push(fetch(&queue, generation, is_nested));
            });
            changed += usize::from(is_changed);
        }
        submitter.join().expect("no panic");
        for fetched in fetched {
            fetched.join().expect("no panic");
        }
        assert_eq!(ends.returned.load(Ordering::Relaxed), 1);
        assert!(changed > 0, "nothing was superseded before the first change");
        assert_eq!((queue.waiting(), queue.searching(), queue.up()), (0, 0, 0));
        // All superseded drainers have left, so another change is possible.
        assert!(queue.supersede_drainers(|_| unreachable!("no job waits")));
    });
}

#[test]
fn a_change_of_pools_leaves_nothing() {
    nothing_is_left_by_a_change(1, 1, false);
}

#[test]
fn two_changes_in_a_row_leave_nothing() {
    nothing_is_left_by_a_change(1, 2, false);
}

#[test]
fn a_change_of_pools_leaves_nothing_to_nested_drainers() {
    nothing_is_left_by_a_change(2, 2, true);
}

/// The limit falls to one while two drainers are up, or one that has run both jobs.
#[test]
fn a_lower_limit_leaves_nothing() {
    model_with(1, || {
        let queue = Arc::new(Queue::new(2));
        let ends = Arc::new(Ends::default());
        let mut fetched: Vec<_> = (0..2).filter_map(|_| put(&queue, &ends, false)).collect();
        queue.limit_drainers(1, |generation| fetched.push(fetch(&queue, generation, false)));
        for fetched in fetched {
            fetched.join().expect("no panic");
        }
        assert_eq!(ends.returned.load(Ordering::Relaxed), 2);
        assert_eq!((queue.waiting(), queue.searching(), queue.up()), (0, 0, 0));
    });
}
