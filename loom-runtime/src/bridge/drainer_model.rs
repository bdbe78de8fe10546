//! Runs submitters against drainers that retire, are superseded or leave their places open, under the
//! model checker.

use std::env;
use std::pin::pin;
use std::task::{Context, Waker};

use loom_model::sync::Arc;
use loom_model::sync::atomic::Ordering;
use loom_model::thread;

use super::model::{Counted, Ends, Value};
use super::{Call, Drainer, Draining, End, Generation, Observer, Priority, Queue, call};
use crate::sync::explore::{explore, reach};

/// A drainer that retires as soon as it may.
struct Hasty {
    queue: Arc<Queue>,
    fetched: Vec<thread::JoinHandle<()>>,
    /// The threads that are fetched are within other work, and leave their places open.
    is_within: bool,
}

impl Drainer for Hasty {
    fn fetch(&mut self, generation: Generation) {
        reach("a drainer fetches");
        self.fetched.push(fetch(&self.queue, generation, self.is_within));
    }

    fn stays(&self) -> bool {
        true
    }

    fn is_short(&self, _waker: &Waker) -> bool {
        true
    }

    fn may_hold(&self) -> bool {
        true
    }

    fn between(&mut self, _draining: &Draining<'_>, _ran: u32, _is_searching: bool) {}

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        thread::yield_now();
        false
    }
}

/// A thread of a pool comes, and drains if a place is open.
pub(super) fn come(queue: &Arc<Queue>, is_of_first_pool: bool) {
    let Some(generation) = queue.arrive(is_of_first_pool) else {
        return reach("a thread finds no place");
    };
    reach("a thread comes");
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
            let Some(now) = queue.open_place() else { return reach("the keeper finds no place") };
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
fn nothing_is_left(drainers: usize, jobs: [usize; 2], is_within: bool, branches: &[&str]) {
    // Two drainers take as long as all other models together.
    let is_short = drainers > 1 && env::var_os("LOOM_SHORT_MODELS").is_some();
    explore(if is_short { 1 } else { 2 }, branches, move || {
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
    nothing_is_left(1, [1, 1], false, &["a thread comes"]);
}

#[test]
fn what_is_submitted_again_is_run() {
    nothing_is_left(1, [2, 0], false, &["a thread comes"]);
}

#[test]
fn two_drainers_leave_nothing_between_them() {
    nothing_is_left(2, [1, 1], false, &["a thread comes", "a thread finds no place"]);
}

#[test]
fn what_a_thread_within_other_work_leaves_is_run() {
    nothing_is_left(1, [1, 1], true, &["a thread comes"]);
}

/// Submits jobs while the generation changes this often. A job that is lost, or a count that a
/// superseded drainer changes, shows at the end.
fn nothing_is_left_by_a_change(
    drainers: usize,
    changes: usize,
    is_within: bool,
    branches: &[&str],
) {
    explore(2, branches, move || {
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
            reach(if is_changed { "superseded" } else { "a drainer of that number is left" });
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
    nothing_is_left_by_a_change(
        1,
        1,
        false,
        &["a thread comes", "a thread finds no place", "superseded"],
    );
}

#[test]
fn two_changes_in_a_row_leave_nothing() {
    nothing_is_left_by_a_change(
        1,
        2,
        false,
        &[
            "a drainer of that number is left",
            "a thread comes",
            "a thread finds no place",
            "superseded",
        ],
    );
}

#[test]
fn a_change_of_pools_leaves_nothing_to_threads_within_other_work() {
    nothing_is_left_by_a_change(
        2,
        2,
        true,
        &[
            "a drainer of that number is left",
            "a thread comes",
            "a thread finds no place",
            "superseded",
            "the keeper finds no place",
        ],
    );
}

/// The limit falls to one while two drainers are up, or one that has run both jobs.
#[test]
fn a_lower_limit_leaves_nothing() {
    explore(1, &["a drainer fetches", "a thread comes", "a thread finds no place"], || {
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

/// Counts a call out that is given up.
struct Withdrawn(Arc<Queue>, Arc<Ends>);

impl Observer for Withdrawn {
    type After = ();

    fn may_start(&self) -> bool {
        true
    }

    fn withdraw(&self) {
        self.0.cancel();
    }

    fn end(self, end: End, unwanted: bool) {
        Counted(self.1).end(end, unwanted);
    }
}

/// A job that a task awaits.
fn awaited(queue: &Arc<Queue>, ends: &Arc<Ends>) -> Call<Value> {
    let value = Value(Arc::clone(ends));
    let observer = Withdrawn(Arc::clone(queue), Arc::clone(ends));
    let place = queue.enter(usize::MAX).expect("no limit");
    let (job, mut call) = call(move || value, observer, Priority::Normal);
    assert!(pin!(&mut call).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let _fetched = place.submit(job);
    call
}

/// Two of three calls are given up, and their jobs removed by the thread that does so, while a drainer
/// takes jobs from the same lists.
#[test]
fn a_sweep_beside_a_drainer_leaves_each_job_to_one_of_them() {
    explore(
        2,
        &[
            "a thread comes",
            "a thread finds no place",
            "both are cancelled",
            "one has run, or runs",
            "sweeps",
        ],
        || {
            let queue = Arc::new(Queue::new(1));
            let ends = Arc::new(Ends::default());
            let mut calls = [0; 3].map(|_| Some(awaited(&queue, &ends)));
            let drainer = {
                let queue = Arc::clone(&queue);
                thread::spawn(move || come(&queue, true))
            };
            for given_up in &mut calls[..2] {
                *given_up = None;
            }
            drainer.join().expect("no panic");
            come(&queue, true);
            reach(match ends.returned.load(Ordering::Relaxed) {
                1 => "both are cancelled",
                _ => "one has run, or runs",
            });
            assert_eq!(ends.all(), 3);
            assert_eq!((queue.waiting(), queue.up()), (0, 0));
        },
    );
}

/// The threads of the pool have ended. A submitter that has to fetch a thread refuses what waits
/// instead, while the last drainer still runs what it finds.
#[test]
fn what_nobody_will_run_is_refused() {
    explore(2, &["a thread comes", "a thread finds no place", "refuses"], || {
        let queue = Arc::new(Queue::new(1));
        let ends = Arc::new(Ends::default());
        let last = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || come(&queue, true))
        };
        let calls = [0; 2].map(|_| {
            let call = awaited(&queue, &ends);
            if queue.open_place().is_some() {
                reach("refuses");
                queue.refuse_all();
            }
            call
        });
        last.join().expect("no panic");
        drop(calls);
        assert_eq!(ends.all(), 2);
        assert_eq!((queue.waiting(), queue.up()), (0, 0));
    });
}

/// A drainer goes from one job to the next, which it takes without a search, while a third job is
/// submitted. The submitter is a drainer, too, where a place is open for one.
#[test]
fn what_is_submitted_while_the_next_job_starts_is_run() {
    explore(2, &["a thread comes", "a thread finds no place"], || {
        let queue = Arc::new(Queue::new(2));
        let ends = Arc::new(Ends::default());
        let calls = [0; 2].map(|_| awaited(&queue, &ends));
        let submitter = {
            let (queue, ends) = (Arc::clone(&queue), Arc::clone(&ends));
            thread::spawn(move || {
                let call = awaited(&queue, &ends);
                come(&queue, true);
                call
            })
        };
        come(&queue, true);
        drop((calls, submitter.join().expect("no panic")));
        assert_eq!(ends.returned.load(Ordering::Relaxed), 3);
        assert_eq!((queue.waiting(), queue.up()), (0, 0));
    });
}
