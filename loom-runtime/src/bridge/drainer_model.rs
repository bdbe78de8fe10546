//! Runs submitters against drainers that retire, are superseded, leave their places open or lend
//! them, under the model checker.

use std::task::Waker;

use loom_model::sync::atomic::Ordering;
use loom_model::sync::{Arc, Notify};
use loom_model::thread;

use super::model::{Counted, Ends, Value, model_with};
use super::{Drainer, Draining, Generation, Priority, Queue, call};

/// A drainer that retires as soon as it may.
struct Hasty {
    queue: Arc<Queue>,
    fetched: Vec<thread::JoinHandle<()>>,
    /// The threads that are fetched are within other work, and leave their places open.
    is_within: bool,
}

impl Drainer for Hasty {
    fn fetch(&mut self, generation: Generation) {
        self.fetched.push(fetch(&self.queue, generation, self.is_within));
    }

    fn stays(&self) -> bool {
        true
    }

    fn is_short(&self, _waker: &Waker) -> bool {
        true
    }

    fn between(&mut self, _draining: &Draining<'_>, _is_searching: bool) {}

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        thread::yield_now();
        false
    }
}

/// A thread of a pool comes, and drains if a place is open.
fn come(queue: &Arc<Queue>, is_of_first_pool: bool) {
    let Some(generation) = queue.arrive(is_of_first_pool) else { return };
    let mut drainer = Hasty { queue: Arc::clone(queue), fetched: Vec::new(), is_within: false };
    queue.drain(generation, None, &mut drainer);
    for fetched in drainer.fetched {
        fetched.join().expect("no panic");
    }
}

/// A thread of this generation's pool comes. If it is within other work, it only comes once it has
/// looked whether a place is open, as the keeper does.
fn fetch(queue: &Arc<Queue>, generation: Generation, is_within: bool) -> thread::JoinHandle<()> {
    let queue = Arc::clone(queue);
    thread::spawn(move || {
        if is_within {
            thread::yield_now();
            let Some(now) = queue.open_place() else { return };
            return come(&queue, now.is_of_first_pool());
        }
        come(&queue, generation.is_of_first_pool());
    })
}

/// Submits one job, and fetches a thread if one is needed.
fn put(queue: &Arc<Queue>, ends: &Arc<Ends>, is_within: bool) -> Option<thread::JoinHandle<()>> {
    let value = Value(Arc::clone(ends));
    let place = queue.enter(usize::MAX).expect("no limit");
    let (job, call) = call(move || value, Counted(Arc::clone(ends)), Priority::Normal);
    let generation = place.submit(job);
    drop(call);
    generation.map(|generation| fetch(queue, generation, is_within))
}

fn submit(queue: &Arc<Queue>, ends: &Arc<Ends>, jobs: usize, is_within: bool) {
    let fetched: Vec<_> = (0..jobs).filter_map(|_| put(queue, ends, is_within)).collect();
    for fetched in fetched {
        fetched.join().expect("no panic");
    }
}

/// Only the drainers empty the queue, so a job that they leave is lost, and the model reports it.
///
/// It has fewer preemptions than the other models, since it has up to four threads of many steps.
fn nothing_is_left(drainers: usize, jobs: [usize; 2], is_within: bool) {
    model_with(2, move || {
        let queue = Arc::new(Queue::new(drainers));
        let ends = Arc::new(Ends::default());
        let other = {
            let (queue, ends) = (Arc::clone(&queue), Arc::clone(&ends));
            thread::spawn(move || submit(&queue, &ends, jobs[1], is_within))
        };
        submit(&queue, &ends, jobs[0], is_within);
        other.join().expect("no panic");
        assert_eq!(ends.returned.load(Ordering::Relaxed), jobs[0] + jobs[1]);
        assert_eq!(queue.waiting(), 0);
        assert_eq!(queue.open_place(), None);
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
fn what_a_thread_within_other_work_leaves_is_run() {
    nothing_is_left(1, [1, 1], true);
}

/// Submits jobs while the generation changes this often. A job that is lost, or a count that a
/// superseded drainer changes, shows at the end.
fn nothing_is_left_by_a_change(drainers: usize, changes: usize, is_within: bool) {
    model_with(2, move || {
        let queue = Arc::new(Queue::new(drainers));
        let ends = Arc::new(Ends::default());
        let submitter = {
            let (queue, ends) = (Arc::clone(&queue), Arc::clone(&ends));
            thread::spawn(move || submit(&queue, &ends, 1, is_within))
        };
        let mut fetched = Vec::new();
        let mut changed = 0;
        for _ in 0..changes {
            let is_changed = queue.supersede_drainers(|generation| {
                fetched.push(fetch(&queue, generation, is_within));
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
fn a_change_of_pools_leaves_nothing_to_threads_within_other_work() {
    nothing_is_left_by_a_change(2, 2, true);
}

/// The work of a pool's only thread waits for a call that is submitted meanwhile. If neither the
/// thread nor the submitter fetches a spare, both wait for ever, and the model reports it.
fn waits_for_a_call(queue: &Arc<Queue>, has_run: &Notify) {
    if queue.lend_place().is_some() {
        come(queue, true);
    }
    has_run.wait();
    queue.give_place_back();
}

fn submit_what_is_waited_for(queue: &Arc<Queue>, has_run: &Arc<Notify>) {
    let (has_run, ends) = (Arc::clone(has_run), Arc::new(Ends::default()));
    let place = queue.enter(usize::MAX).expect("no limit");
    let (job, call) = call(move || has_run.notify(), Counted(ends), Priority::Normal);
    let is_fetched = place.submit(job).is_some();
    drop(call);
    // The pool's thread waits, so only a spare can come.
    if is_fetched && queue.lent_places() > 0 {
        come(queue, true);
    }
}

#[test]
fn a_place_that_is_lent_is_taken() {
    model_with(3, || {
        let queue = Arc::new(Queue::new(1));
        let has_run = Arc::new(Notify::new());
        let submitter = {
            let (queue, has_run) = (Arc::clone(&queue), Arc::clone(&has_run));
            thread::spawn(move || submit_what_is_waited_for(&queue, &has_run))
        };
        // This is the pool's own work, and no drainer's.
        waits_for_a_call(&queue, &has_run);
        submitter.join().expect("no panic");
        come(&queue, true);
        assert_eq!((queue.waiting(), queue.up()), (0, 0));
    });
}

#[test]
fn a_place_that_a_drainer_lends_is_taken() {
    model_with(2, || {
        let queue = Arc::new(Queue::new(1));
        let has_run = Arc::new(Notify::new());
        let (own, waited_for) = (Arc::clone(&queue), Arc::clone(&has_run));
        let ends = Arc::new(Ends::default());
        let work = move || waits_for_a_call(&own, &waited_for);
        let (job, waits) = call(work, Counted(Arc::clone(&ends)), Priority::Normal);
        let place = queue.enter(usize::MAX).expect("no limit");
        assert!(place.submit(job).is_some());
        drop(waits);
        let submitter = {
            let (queue, has_run) = (Arc::clone(&queue), Arc::clone(&has_run));
            thread::spawn(move || submit_what_is_waited_for(&queue, &has_run))
        };
        come(&queue, true);
        submitter.join().expect("no panic");
        come(&queue, true);
        assert_eq!(ends.returned.load(Ordering::Relaxed), 1);
        assert_eq!((queue.waiting(), queue.up()), (0, 0));
    });
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
