//! Tests of when a drainer holds wakers back, and of who wakes them.

use std::panic;
use std::task::{Context, Wake, Waker};

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};

use super::queue_tests::{Uncounted, come_with};
use super::{Call, Drainer, Draining, Generation, Held, Priority, Queue, Queueing};

/// What happened, in order: jobs that ran, and wakers that were woken.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Event>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Ran(usize),
    Woken(usize),
    Dropped,
}

impl Log {
    fn add(&self, event: Event) {
        self.0.lock().expect("not poisoned").push(event);
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

struct Task(usize, Log);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.1.add(Event::Woken(self.0));
    }
}

/// A job that is expected to take so many microseconds, and that a task awaits.
fn submit(queue: &Queue, log: &Log, number: usize, micros: Option<u32>) -> Call<()> {
    submit_as(queue, log, number, Queueing { priority: Priority::Normal, micros })
}

fn submit_as(queue: &Queue, log: &Log, number: usize, queueing: Queueing) -> Call<()> {
    let of_job = log.clone();
    let (job, mut call) = super::call(move || of_job.add(Event::Ran(number)), Uncounted, queueing);
    let waker = Waker::from(Arc::new(Task(number, log.clone())));
    let polled = std::pin::Pin::new(&mut call).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let _fetch = queue.enter(usize::MAX).expect("no limit").submit(job);
    call
}

/// Knows its wakers to be short, or not.
struct Knowing(bool);

impl Drainer for Knowing {
    fn fetch(&mut self, _generation: Generation) {}

    fn stays(&self) -> bool {
        true
    }

    fn is_short(&self, _waker: &Waker) -> bool {
        self.0
    }

    fn may_hold(&self) -> bool {
        true
    }

    fn between(&mut self, _draining: &Draining<'_>, _ran: u32, _is_searching: bool) {}

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        false
    }
}

/// What happens where these jobs wait for one drainer.
fn events(jobs: &[Option<u32>], is_short: bool) -> Vec<Event> {
    let (queue, log, held) = (Queue::new(1), Log::default(), Held::default());
    let calls: Vec<_> = jobs
        .iter()
        .enumerate()
        .map(|(number, micros)| submit(&queue, &log, number, *micros))
        .collect();
    assert!(come_with(&queue, Some(&held), &mut Knowing(is_short)));
    drop(calls);
    let events = log.take();
    assert_eq!(events.len(), 2 * jobs.len(), "each ran once, and each waker was woken once");
    events
}

/// How many wakers were held at most.
fn most_held(events: &[Event]) -> usize {
    let mut held: usize = 0;
    let mut most = 0;
    for event in events {
        match event {
            Event::Ran(_) => held += 1,
            Event::Woken(_) => held -= 1,
            Event::Dropped => unreachable!("each is awaited"),
        }
        most = most.max(held);
    }
    // One that is woken at once counts between its end and its wake.
    most - 1
}

fn at_once(jobs: usize) -> Vec<Event> {
    (0..jobs).flat_map(|number| [Event::Ran(number), Event::Woken(number)]).collect()
}

#[test]
fn wakers_are_held_while_many_brief_jobs_wait_and_woken_in_order() {
    let events = events(&[Some(10); 100], true);
    assert_eq!(most_held(&events), 16);
    let woken = events.iter().filter_map(|event| match event {
        Event::Woken(number) => Some(*number),
        Event::Ran(_) | Event::Dropped => None,
    });
    assert!(woken.eq(0..100));
}

#[test]
fn the_fewer_jobs_wait_the_fewer_wakers_are_held() {
    assert_eq!(events(&[Some(10); 2], true), at_once(2), "none or one waits");
    assert_eq!(most_held(&events(&[Some(10); 4], true)), 1);
    let last = events(&[Some(10); 30], true);
    assert_eq!(most_held(&last), 10, "ten have run, and twice as many wait");
    assert_eq!(last[last.len() - 4..], at_once(30)[56..], "the last two wait for nobody");
}

#[test]
fn the_jobs_that_run_meanwhile_take_no_longer_than_200_microseconds() {
    assert_eq!(most_held(&events(&[Some(70); 100], true)), 2);
    assert_eq!(events(&[Some(201); 100], true), at_once(100));
}

#[test]
fn nothing_is_held_behind_jobs_of_lower_priority() {
    let (queue, log, held) = (Queue::new(1), Log::default(), Held::default());
    let priorities = (0..20).map(|_| Priority::Low).chain([Priority::High, Priority::High]);
    let calls: Vec<_> = priorities
        .enumerate()
        .map(|(number, priority)| {
            submit_as(&queue, &log, number, Queueing { priority, micros: Some(10) })
        })
        .collect();
    assert!(come_with(&queue, Some(&held), &mut Knowing(true)));
    drop(calls);
    let [first, second] = [20, 21];
    let begin = [Event::Ran(first), Event::Ran(second), Event::Woken(first), Event::Woken(second)];
    assert_eq!(log.take()[..4], begin);
}

/// It may take any time to drop a result that nobody wants.
#[test]
fn nothing_is_held_while_a_result_is_dropped() {
    struct Dropped(Log);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.add(Event::Dropped);
        }
    }
    let (queue, log, held) = (Queue::new(1), Log::default(), Held::default());
    let queueing = Queueing { priority: Priority::Normal, micros: Some(10) };
    let mut calls = vec![submit_as(&queue, &log, 0, queueing)];
    let of_job = log.clone();
    let (job, call) = super::call(move || Dropped(of_job), Uncounted, queueing);
    call.detach();
    let _fetch = queue.enter(usize::MAX).expect("no limit").submit(job);
    calls.extend((1..20).map(|number| submit_as(&queue, &log, number, queueing)));
    assert!(come_with(&queue, Some(&held), &mut Knowing(true)));
    drop(calls);
    assert_eq!(log.take()[..3], [Event::Ran(0), Event::Woken(0), Event::Dropped]);
}

#[test]
fn nothing_is_held_for_the_sake_of_jobs_that_are_as_short_as_a_wake() {
    assert_eq!(events(&[Some(1); 100], true), at_once(100));
}

#[test]
fn nothing_is_held_behind_a_job_of_unknown_length() {
    assert_eq!(events(&[None; 100], true), at_once(100));
    let mut jobs = [Some(10); 50];
    jobs[5] = None;
    let events = events(&jobs, true);
    let place = |event| events.iter().position(|one| *one == event).expect("it happened");
    assert!(place(Event::Ran(4)) < place(Event::Woken(0)), "some are held");
    assert!(place(Event::Woken(4)) < place(Event::Ran(5)));
}

#[test]
fn a_waker_that_may_take_long_is_woken_at_once() {
    assert_eq!(events(&[Some(10); 100], false), at_once(100));
}

#[test]
fn a_waker_that_panics_leaves_the_others_to_be_woken() {
    struct Panicking(AtomicUsize);
    impl Wake for Panicking {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic::panic_any("a waker of the program");
        }
    }
    let (queue, held) = (Queue::new(1), Held::default());
    let panicking = Arc::new(Panicking(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&panicking));
    let mut calls = Vec::new();
    for _ in 0..40 {
        let queueing = Queueing { priority: Priority::Normal, micros: Some(10) };
        let (job, mut call) = super::call(|| (), Uncounted, queueing);
        assert!(std::pin::Pin::new(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
        let _fetch = queue.enter(usize::MAX).expect("no limit").submit(job);
        calls.push(call);
    }
    assert!(come_with(&queue, Some(&held), &mut Knowing(true)));
    assert_eq!(panicking.0.load(Ordering::Relaxed), 40);
    assert!(calls.iter().all(Call::is_done));
}
