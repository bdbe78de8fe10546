//! Runs submitters against threads that lend their places, under the model checker.

use loom_model::sync::atomic::Ordering;
use loom_model::sync::{Arc, Notify};
use loom_model::thread;

use super::drainer_model::come;
use super::model::{Counted, Ends};
use super::{Priority, Queue, call};
use crate::sync::explore::{explore, reach};

/// The work of a pool's only thread waits for a call that is submitted meanwhile. If neither the
/// thread nor the submitter fetches a spare, both wait for ever, and the model reports it.
fn waits_for_a_call(queue: &Arc<Queue>, has_run: &Notify) {
    if queue.lend_place().is_some() {
        reach("who lends fetches a spare");
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
        reach("the submitter fetches a spare");
        come(queue, true);
    }
}

fn submitter(queue: &Arc<Queue>, has_run: &Arc<Notify>) -> thread::JoinHandle<()> {
    let (queue, has_run) = (Arc::clone(queue), Arc::clone(has_run));
    thread::spawn(move || submit_what_is_waited_for(&queue, &has_run))
}

const BRANCHES: [&str; 4] = [
    "a thread comes",
    "a thread finds no place",
    "the submitter fetches a spare",
    "who lends fetches a spare",
];

#[test]
fn a_place_that_is_lent_is_taken() {
    explore(3, &BRANCHES, || {
        let queue = Arc::new(Queue::new(1));
        let has_run = Arc::new(Notify::new());
        let submitter = submitter(&queue, &has_run);
        // This is the pool's own work, and no drainer's.
        waits_for_a_call(&queue, &has_run);
        submitter.join().expect("no panic");
        come(&queue, true);
        assert_eq!((queue.waiting(), queue.up()), (0, 0));
    });
}

#[test]
fn a_place_that_a_drainer_lends_is_taken() {
    explore(2, &BRANCHES, || {
        let queue = Arc::new(Queue::new(1));
        let has_run = Arc::new(Notify::new());
        let (own, waited_for) = (Arc::clone(&queue), Arc::clone(&has_run));
        let ends = Arc::new(Ends::default());
        let work = move || waits_for_a_call(&own, &waited_for);
        let (job, waits) = call(work, Counted(Arc::clone(&ends)), Priority::Normal);
        let place = queue.enter(usize::MAX).expect("no limit");
        assert!(place.submit(job).is_some());
        drop(waits);
        let submitter = submitter(&queue, &has_run);
        come(&queue, true);
        submitter.join().expect("no panic");
        come(&queue, true);
        assert_eq!(ends.returned.load(Ordering::Relaxed), 1);
        assert_eq!((queue.waiting(), queue.up()), (0, 0));
    });
}
