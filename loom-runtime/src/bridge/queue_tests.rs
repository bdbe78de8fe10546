//! Tests of the order in which jobs leave the queue, and of when a drainer is fetched.

use super::{Call, Drainer, Draining, End, Generation, Observer, Priority, Queue};
use crate::sync::{Arc, Mutex};

struct Uncounted;

impl Observer for Uncounted {
    type After = ();

    fn may_start(&self) -> bool {
        true
    }

    fn withdraw(&self) {}

    fn end(self, _end: End, _unwanted: bool) {}
}

/// The jobs that ran, in order.
type Log = Arc<Mutex<Vec<(Priority, usize)>>>;

fn submit(queue: &Queue, log: &Log, priority: Priority, number: usize) -> (bool, Call<()>) {
    let log = Arc::clone(log);
    let work = move || log.lock().expect("not poisoned").push((priority, number));
    let (job, call) = super::call(work, Uncounted, priority);
    let place = queue.enter(usize::MAX).expect("no limit");
    (place.submit(job).is_some(), call)
}

/// Does not linger, and counts how many more drainers it had to fetch.
#[derive(Default)]
struct Patient {
    fetched: usize,
    leaves_early: bool,
}

impl Drainer for Patient {
    fn fetch(&mut self, generation: Generation) {
        assert_eq!(generation, Generation::FIRST);
        self.fetched += 1;
    }

    fn takes_more(&self) -> bool {
        !self.leaves_early
    }

    fn between(&mut self, _draining: &Draining<'_>, _is_searching: bool) {}

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        false
    }
}

fn order(submitted: &[(Priority, usize)]) -> Vec<(Priority, usize)> {
    let (queue, log) = (Queue::new(1), Log::default());
    for (priority, count) in submitted {
        for number in 0..*count {
            submit(&queue, &log, *priority, number).1.detach();
        }
    }
    queue.drain(Generation::FIRST, &mut Patient::default());
    assert_eq!(queue.waiting(), 0);
    std::mem::take(&mut log.lock().expect("not poisoned"))
}

#[test]
fn calls_of_one_priority_run_in_the_order_in_which_they_came() {
    let ran = order(&[(Priority::Normal, 100)]);
    assert!(ran.iter().map(|(_, number)| *number).eq(0..100));
}

#[test]
fn higher_priority_runs_first() {
    use Priority::{High, Low, Normal};
    let ran = order(&[(Low, 2), (Normal, 2), (High, 2)]);
    assert_eq!(ran, [(High, 0), (High, 1), (Normal, 0), (Normal, 1), (Low, 0), (Low, 1)]);
}

#[test]
fn nothing_waits_for_ever_behind_higher_priority() {
    use Priority::{High, Low, Normal};
    let ran = order(&[(Low, 1), (Normal, 3), (High, 100)]);
    let place = |job| ran.iter().position(|ran| *ran == job).expect("it ran");
    assert_eq!(place((Low, 0)), 16, "after sixteen others");
    assert_eq!(place((Normal, 0)), 17, "the other list that was passed over as often");
    assert_eq!(place((Normal, 1)), 34, "sixteen later");
}

#[test]
fn a_burst_fetches_as_many_drainers_as_it_can_use() {
    let (queue, log) = (Queue::new(3), Log::default());
    let fetched = (0..5).map(|n| submit(&queue, &log, Priority::Normal, n).0);
    assert_eq!(fetched.collect::<Vec<_>>(), [true, true, true, false, false]);
}

/// Submits two jobs while it lingers for the first time.
struct Burst<'a>(&'a Log, &'a mut Patient, bool);
impl Drainer for Burst<'_> {
    fn fetch(&mut self, generation: Generation) {
        self.1.fetch(generation);
    }

    fn takes_more(&self) -> bool {
        true
    }

    fn between(&mut self, _draining: &Draining<'_>, _is_searching: bool) {}

    fn lingers(&mut self, draining: &Draining<'_>) -> bool {
        if std::mem::replace(&mut self.2, false) {
            let fetched: Vec<_> =
                (0..2).map(|n| submit(draining.queue, self.0, Priority::Normal, n).0).collect();
            assert_eq!(fetched, [false, true], "the first job relies on the search");
            // The fetched drainer finds the first job, before this drainer's search goes on.
            draining.queue.drain(
                Generation::FIRST,
                &mut Patient { leaves_early: true, ..Patient::default() },
            );
            return true;
        }
        false
    }
}

/// One drainer searches, and finds one of two jobs. A submitter relied on the search, so the
/// drainer fetches another.
#[test]
fn a_drainer_that_finds_work_fetches_whom_its_search_kept_away() {
    let (queue, log) = (Queue::new(2), Log::default());
    assert!(submit(&queue, &log, Priority::Normal, 0).0);
    queue.drain(Generation::FIRST, &mut Patient { leaves_early: true, ..Patient::default() });
    // Another drainer is up, and finds nothing; then two jobs come at once.
    let mut drainer = Patient::default();
    assert!(submit(&queue, &log, Priority::Normal, 9).0);
    queue.drain(Generation::FIRST, &mut Burst(&log, &mut drainer, true));
    assert_eq!(log.lock().expect("not poisoned").len(), 4);
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn a_drainer_that_leaves_early_sees_to_the_rest() {
    let (queue, log) = (Queue::new(1), Log::default());
    for number in 0..3 {
        submit(&queue, &log, Priority::Normal, number).1.detach();
    }
    let mut drainer = Patient { leaves_early: true, ..Patient::default() };
    for left in (0..3).rev() {
        queue.drain(Generation::FIRST, &mut drainer);
        assert_eq!(queue.waiting(), left);
    }
    assert_eq!(drainer.fetched, 2, "one for each job that it left");
}

#[test]
fn a_full_line_takes_no_more_and_a_cancelled_call_makes_room() {
    let (queue, log) = (Queue::new(1), Log::default());
    let (_, call) = submit(&queue, &log, Priority::Normal, 0);
    assert!(queue.enter(1).is_none());
    // The observer would do this.
    queue.cancel();
    let place = queue.enter(1);
    assert!(place.is_some());
    call.detach();
}

#[test]
fn a_line_without_anyone_refuses_what_waits() {
    let (queue, log) = (Queue::new(2), Log::default());
    assert!(submit(&queue, &log, Priority::Normal, 0).0);
    let _second = submit(&queue, &log, Priority::Normal, 1);
    // Neither of the two fetched drainers comes.
    queue.refuse_all(Generation::FIRST);
    queue.refuse_all(Generation::FIRST);
    assert_eq!(queue.waiting(), 0);
    assert!(log.lock().expect("not poisoned").is_empty());
    assert!(submit(&queue, &log, Priority::Normal, 2).0, "no drainer is counted as up");
}

/// More than half of the linked jobs are cancelled: they are removed, and the others stay in order.
#[test]
fn what_is_cancelled_gives_way_and_the_others_keep_their_order() {
    let (queue, log) = (Queue::new(1), Log::default());
    let captured = Arc::new(());
    for number in 0..300 {
        if number % 3 == 0 {
            submit(&queue, &log, Priority::Normal, number).1.detach();
            continue;
        }
        let held = Arc::clone(&captured);
        let (job, mut call) = super::call(move || drop(held), Uncounted, Priority::Normal);
        let _fetch = queue.enter(usize::MAX).expect("no limit").submit(job);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(&mut call).poll(&mut cx).is_pending());
        drop(call);
        // The observer would do this.
        queue.cancel();
    }
    assert_eq!(Arc::strong_count(&captured), 1);
    assert_eq!(queue.waiting(), 100);
    queue.drain(Generation::FIRST, &mut Patient::default());
    let log = log.lock().expect("not poisoned");
    assert!(log.iter().map(|(_, number)| *number).eq((0..300).step_by(3)), "{log:?}");
}
