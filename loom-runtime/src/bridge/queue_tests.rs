//! Tests of the order in which jobs leave the queue, and of when a drainer is fetched.

use super::{Call, Drainer, Draining, End, Generation, Held, Observer, Priority, Queue};
use std::pin::pin;
use std::task::{Context, Wake, Waker};

use crate::sync::{Arc, Mutex, rounds};

pub(super) struct Uncounted;

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
    /// How many calls it has run, and after how many it leaves.
    ran: usize,
    most: Option<usize>,
}

impl Patient {
    fn leaves_after(calls: usize) -> Self {
        Self { most: Some(calls), ..Self::default() }
    }
}

impl Drainer for Patient {
    fn fetch(&mut self, generation: Generation) {
        assert_eq!(generation, Generation::FIRST);
        self.fetched += 1;
    }

    fn stays(&self) -> bool {
        self.most.is_none_or(|most| self.ran < most)
    }

    fn is_short(&self, _waker: &Waker) -> bool {
        true
    }

    fn may_hold(&self) -> bool {
        true
    }

    fn between(&mut self, _draining: &Draining<'_>, _ran: u32, _is_searching: bool) {
        self.ran += 1;
    }

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        false
    }
}

/// A thread of the first pool comes, and drains if a place is open.
fn come(queue: &Queue, drainer: &mut impl Drainer) -> bool {
    come_with(queue, None, drainer)
}

/// As [`come`], where wakers may be held.
pub(super) fn come_with(queue: &Queue, held: Option<&Held>, drainer: &mut impl Drainer) -> bool {
    let generation = queue.arrive(true);
    if let Some(generation) = generation {
        queue.drain(generation, held, drainer);
    }
    generation.is_some()
}

fn order(submitted: &[(Priority, usize)]) -> Vec<(Priority, usize)> {
    let (queue, log) = (Queue::new(1), Log::default());
    for (priority, count) in submitted {
        for number in 0..*count {
            submit(&queue, &log, *priority, number).1.detach();
        }
    }
    assert!(come(&queue, &mut Patient::default()));
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

    fn lingers(&mut self, draining: &Draining<'_>) -> bool {
        if std::mem::replace(&mut self.2, false) {
            let fetched: Vec<_> =
                (0..2).map(|n| submit(draining.queue, self.0, Priority::Normal, n).0).collect();
            assert_eq!(fetched, [false, true], "the first job relies on the search");
            // The fetched thread finds the first job, before this drainer's search goes on.
            assert!(come(draining.queue, &mut Patient::leaves_after(1)));
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
    assert!(come(&queue, &mut Patient::leaves_after(1)));
    // Another drainer is up, and finds nothing; then two jobs come at once.
    let mut drainer = Patient::default();
    assert!(submit(&queue, &log, Priority::Normal, 9).0);
    assert!(come(&queue, &mut Burst(&log, &mut drainer, true)));
    assert_eq!(log.lock().expect("not poisoned").len(), 4);
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn a_drainer_that_leaves_early_sees_to_the_rest() {
    let (queue, log) = (Queue::new(1), Log::default());
    for number in 0..3 {
        submit(&queue, &log, Priority::Normal, number).1.detach();
    }
    let mut fetched = Vec::new();
    for left in (0..3).rev() {
        let mut drainer = Patient::leaves_after(1);
        assert!(come(&queue, &mut drainer));
        assert_eq!(queue.waiting(), left);
        fetched.push(drainer.fetched);
    }
    assert_eq!(fetched, [1, 1, 0], "one while a job is left");
    assert!(!come(&queue, &mut Patient::default()));
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
    // Neither of the two fetched threads comes.
    queue.refuse_all();
    assert_eq!(queue.waiting(), 0);
    assert_eq!(queue.open_place(), None);
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
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(&mut call).poll(&mut cx).is_pending());
        drop(call);
        // The observer would do this.
        assert!(queue.cancel() <= 8);
    }
    assert_eq!(Arc::strong_count(&captured), 1);
    assert_eq!(queue.waiting(), 100);
    assert!(come(&queue, &mut Patient::default()));
    let log = log.lock().expect("not poisoned");
    assert!(log.iter().map(|(_, number)| *number).eq((0..300).step_by(3)), "{log:?}");
}

/// Each call that is given up takes a few steps, however many others wait, and what is linked stays
/// in proportion to what waits.
#[test]
fn giving_up_takes_a_bounded_number_of_steps() {
    const CALLS: usize = rounds(100_000);
    let queue = Queue::new(1);
    let mut cx = Context::from_waker(Waker::noop());
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let priority = [Priority::Low, Priority::Normal, Priority::High][number % 3];
        let (job, mut call) = super::call(|| (), Uncounted, priority);
        let _fetch = queue.enter(usize::MAX).expect("no limit").submit(job);
        assert!(pin!(&mut call).poll(&mut cx).is_pending());
        calls.push(call);
    }
    let mut visited = 0;
    for (given_up, call) in calls.drain(..CALLS - 1).enumerate() {
        drop(call);
        let steps = queue.cancel();
        assert!(steps <= 8, "{steps} steps");
        visited += steps;
        let (waiting, linked) = (queue.waiting(), queue.linked());
        assert!(linked <= 3 * waiting + 200 || given_up < CALLS / 2 + CALLS / 8, "{linked}");
    }
    assert!((CALLS..4 * CALLS).contains(&visited), "{visited} steps in all");
    let mut last = calls.pop().expect("one is left");
    assert!(come(&queue, &mut Patient::default()));
    assert!(pin!(&mut last).poll(&mut cx).is_ready());
}

/// A place is open for a pool that is not in use any more, or no place is open: nobody drains.
#[test]
fn a_thread_that_no_place_waits_for_goes_home() {
    let (queue, log) = (Queue::new(1), Log::default());
    assert!(!come(&queue, &mut Patient::default()));
    let (is_fetched, call) = submit(&queue, &log, Priority::Normal, 0);
    assert!(is_fetched);
    assert_eq!(queue.arrive(false), None, "a thread of the other pool");
    assert!(come(&queue, &mut Patient::default()));
    assert!(!come(&queue, &mut Patient::default()), "it was taken");
    call.detach();
}

/// A drainer that retires closes the places for which nobody has come.
#[test]
fn a_place_that_nobody_needs_is_closed() {
    let (queue, log) = (Queue::new(2), Log::default());
    for number in 0..2 {
        let (is_fetched, call) = submit(&queue, &log, Priority::Normal, number);
        assert!(is_fetched);
        call.detach();
    }
    assert!(come(&queue, &mut Patient::default()));
    assert_eq!(log.lock().expect("not poisoned").len(), 2);
    assert!(!come(&queue, &mut Patient::default()), "one has run both jobs");
    assert!(submit(&queue, &log, Priority::Normal, 2).0, "nobody is counted as up");
}

/// A thread that waits lends its place, and the job behind its call gets a drainer.
#[test]
fn a_place_is_lent_while_a_call_waits() {
    let (queue, log) = (Queue::new(1), Log::default());
    submit(&queue, &log, Priority::Normal, 0).1.detach();
    let own = queue.arrive(true).expect("a place is open");
    // The drainer is up and has a call; the next job finds no place.
    let (job, call) = super::call(|| (), Uncounted, Priority::Normal);
    assert!(queue.enter(usize::MAX).expect("no limit").submit(job).is_none());
    assert_eq!(queue.lend_place(), Some(own), "there is one more place");
    assert_eq!(queue.lent_places(), 1);
    assert!(come(&queue, &mut Patient::default()), "a spare runs both");
    assert_eq!(log.lock().expect("not poisoned").len(), 1);
    queue.give_place_back();
    assert_eq!(queue.lent_places(), 0);
    queue.drain(own, None, &mut Patient::default());
    call.detach();
    assert!(submit(&queue, &log, Priority::Normal, 2).0, "nobody is counted as up");
}

/// While a waker runs that may take any time, a submitter does not rely on its thread.
#[test]
fn a_drainer_searches_only_after_a_slow_waker() {
    /// Submits while it is woken.
    struct Waking {
        queue: Arc<Queue>,
        log: Log,
        fetched: Mutex<Vec<bool>>,
    }
    impl Wake for Waking {
        fn wake(self: Arc<Self>) {
            let (is_fetched, call) = submit(&self.queue, &self.log, Priority::Normal, 1);
            call.detach();
            self.fetched.lock().expect("not poisoned").push(is_fetched);
        }
    }
    struct Knows(Patient, bool);
    impl Drainer for Knows {
        fn fetch(&mut self, generation: Generation) {
            self.0.fetch(generation);
        }

        fn stays(&self) -> bool {
            true
        }

        fn is_short(&self, _waker: &Waker) -> bool {
            self.1
        }

        fn may_hold(&self) -> bool {
            true
        }

        fn between(&mut self, draining: &Draining<'_>, ran: u32, is_searching: bool) {
            self.0.between(draining, ran, is_searching);
        }

        fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
            false
        }
    }
    for is_short in [false, true] {
        let (queue, log) = (Arc::new(Queue::new(2)), Log::default());
        let (is_fetched, mut call) = submit(&queue, &log, Priority::Normal, 0);
        assert!(is_fetched);
        let (own, fetched) = (Arc::clone(&queue), Mutex::default());
        let waking = Arc::new(Waking { queue: own, log: Arc::clone(&log), fetched });
        let waker = Waker::from(Arc::clone(&waking));
        let poll = pin!(&mut call).poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
        assert!(come(&queue, &mut Knows(Patient::default(), is_short)));
        assert_eq!(*waking.fetched.lock().expect("not poisoned"), [!is_short]);
        assert_eq!(log.lock().expect("not poisoned").len(), 2);
        drop(call);
    }
}
