//! Submitters, drainers, the keeper and the end of a runtime, in random schedules.
//!
//! The model checker runs every interleaving of a few steps. This runs many steps of eight threads in
//! schedules that are drawn at random; a failure prints its schedule, which replays it. Memory is
//! sequentially consistent here, so orderings are the model checker's matter.

use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::thread::{self, JoinHandle};

use super::knocks::Knocks;
use super::lifecycle::{Lifecycle, Waiter};
use crate::bridge::{
    self, Call, Drainer, Draining, End, Generation, Held, Observer, Priority, Queue, Queueing,
};
use crate::sync::Arc as StdArc;

const SUBMITTERS: usize = 3;
const JOBS: usize = 4;
const LIMIT: usize = 2;

/// What the threads of one schedule share.
struct Shared {
    queue: Queue,
    lifecycle: Lifecycle,
    knocks: Knocks,
    /// Where each drainer holds wakers.
    held: Mutex<Vec<Arc<Held>>>,
    /// How many jobs were admitted, and how many have ended.
    admitted: AtomicUsize,
    ended: AtomicUsize,
    /// Threads that have not come to their end, those that were fetched aside.
    running: AtomicUsize,
    /// Threads that have been fetched.
    fetched: Mutex<Vec<JoinHandle<()>>>,
    /// The keeper has been told to ask all threads.
    is_told: Mutex<bool>,
}

/// Sleeps until it is woken. `Wake` requires std's `Arc`.
#[derive(Default)]
struct Sleeper(Mutex<bool>, Condvar);

impl Wake for Sleeper {
    fn wake(self: StdArc<Self>) {
        *self.0.lock().expect("no panic") = true;
        self.1.notify_one();
    }
}

fn block_on<F: Future + Unpin>(mut future: F) -> F::Output {
    let sleeper = StdArc::new(Sleeper::default());
    let waker = Waker::from(StdArc::clone(&sleeper));
    loop {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut is_woken = sleeper.0.lock().expect("no panic");
        while !std::mem::take(&mut *is_woken) {
            is_woken = sleeper.1.wait(is_woken).expect("no panic");
        }
    }
}

/// Counts the end of an admitted job.
struct Counted(Arc<Shared>);

impl Observer for Counted {
    type After = ();

    fn may_start(&self) -> bool {
        !self.0.lifecycle.is_gone()
    }

    fn withdraw(&self) {
        self.0.queue.cancel();
    }

    fn end(self, _end: End, _unwanted: bool) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
        self.0.lifecycle.end_one();
    }
}

/// A drainer that retires soon.
struct Hasty(Arc<Shared>);

impl Drainer for Hasty {
    fn fetch(&mut self, generation: Generation) {
        fetch(&self.0, generation);
    }

    fn stays(&self) -> bool {
        true
    }

    fn is_short(&self, _waker: &Waker) -> bool {
        thread_rng().gen_bool(0.5)
    }

    fn may_hold(&self) -> bool {
        true
    }

    fn between(&mut self, draining: &Draining<'_>, _ran: u32, is_searching: bool) {
        if is_searching && thread_rng().gen_bool(0.3) {
            draining.pause_search(self, thread::yield_now);
        }
    }

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        thread::yield_now();
        thread_rng().gen_bool(0.3)
    }
}

/// Asks a thread of this generation's pool to come. Some are within other work, and leave the place
/// open.
fn fetch(shared: &Arc<Shared>, generation: Generation) {
    let own = Arc::clone(shared);
    let is_within = thread_rng().gen_bool(0.2);
    let thread = thread::spawn(move || come(&own, generation.is_of_first_pool(), is_within));
    shared.fetched.lock().expect("no panic").push(thread);
}

fn come(shared: &Arc<Shared>, is_of_first_pool: bool, is_within: bool) {
    if is_within {
        if shared.queue.open_place().is_some() && shared.knocks.is_needed(0).is_some() {
            *shared.is_told.lock().expect("no panic") = true;
        }
        return;
    }
    if let Some(generation) = shared.queue.arrive(is_of_first_pool) {
        shared.knocks.has_arrived();
        let held = Arc::new(Held::default());
        shared.held.lock().expect("no panic").push(Arc::clone(&held));
        shared.queue.drain(generation, Some(&held), &mut Hasty(Arc::clone(shared)));
    }
}

/// A thread of the pool that waits lends its place to a spare.
fn lend(shared: &Arc<Shared>) {
    if let Some(generation) = shared.queue.lend_place() {
        fetch(shared, generation);
    }
    thread::yield_now();
    shared.queue.give_place_back();
}

fn call(shared: &Arc<Shared>) -> Option<Call<()>> {
    if !shared.lifecycle.admit() {
        return None;
    }
    shared.admitted.fetch_add(1, Ordering::Relaxed);
    let own = Arc::clone(shared);
    let waits = thread_rng().gen_bool(0.2);
    let work = move || {
        if waits {
            lend(&own);
        }
    };
    let priority = [Priority::Low, Priority::Normal, Priority::High][thread_rng().gen_range(0..3)];
    let micros = thread_rng().gen_bool(0.5).then_some(10);
    let (job, call) =
        bridge::call(work, Counted(Arc::clone(shared)), Queueing { priority, micros });
    let place = shared.queue.enter(usize::MAX).expect("no limit");
    if let Some(generation) = place.submit(job) {
        fetch(shared, generation);
    }
    Some(call)
}

/// Makes calls, and ends each in one of the ways there are.
fn submit(shared: &Arc<Shared>) {
    for _ in 0..JOBS {
        let Some(mut call) = call(shared) else { return };
        match thread_rng().gen_range(0..4) {
            0 => call.detach(),
            1 => {
                let _ = Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop()));
            }
            2 => call.mark_awaited(),
            _ => drop(block_on(call)),
        }
    }
}

/// Changes pools and limits, and asks all threads where it was told.
fn keep(shared: &Arc<Shared>) {
    for _ in 0..6 {
        match thread_rng().gen_range(0..3) {
            0 => {
                shared.queue.supersede_drainers(|generation| fetch(shared, generation));
            }
            1 => {
                let limit = thread_rng().gen_range(1..=LIMIT);
                shared.queue.limit_drainers(limit, |generation| fetch(shared, generation));
            }
            _ => shared.queue.fetch_drainers(|generation| fetch(shared, generation)),
        }
        let held = shared.held.lock().expect("no panic").clone();
        held.iter().for_each(|held| held.wake_all());
        ask_all(shared);
        thread::yield_now();
    }
}

/// The keeper asks each thread of the pool, if it was told. Some are still within other work.
fn ask_all(shared: &Arc<Shared>) {
    if std::mem::take(&mut *shared.is_told.lock().expect("no panic")) {
        shared.knocks.begin(0);
        if let Some(generation) = shared.queue.open_place() {
            (0..LIMIT).for_each(|_| fetch(shared, generation));
        }
    }
}

async fn over(shared: &Shared) {
    let mut place = Waiter::default();
    std::future::poll_fn(|cx| shared.lifecycle.poll_over(&mut place, cx)).await;
    shared.lifecycle.forget(&mut place);
}

fn schedule() {
    let shared = Arc::new(Shared {
        queue: Queue::new(LIMIT),
        lifecycle: Lifecycle::default(),
        knocks: Knocks::default(),
        held: Mutex::new(Vec::new()),
        admitted: AtomicUsize::new(0),
        ended: AtomicUsize::new(0),
        running: AtomicUsize::new(0),
        fetched: Mutex::new(Vec::new()),
        is_told: Mutex::new(false),
    });
    let start = |f: fn(&Arc<Shared>)| {
        let shared = Arc::clone(&shared);
        shared.running.fetch_add(1, Ordering::Relaxed);
        thread::spawn(move || {
            f(&shared);
            shared.running.fetch_sub(1, Ordering::Relaxed);
        })
    };
    let mut threads: Vec<_> = (0..SUBMITTERS).map(|_| start(submit)).collect();
    threads.push(start(keep));
    if thread_rng().gen_bool(0.5) {
        threads.push(start(|shared| {
            shared.lifecycle.drain();
            block_on(Box::pin(over(shared)));
            let ended = shared.ended.load(Ordering::Relaxed);
            assert_eq!(shared.admitted.load(Ordering::Relaxed), ended, "all work has ended");
        }));
    }
    // Threads that wait need the places that others have left open.
    while shared.running.load(Ordering::Relaxed) > 0 {
        ask_all(&shared);
        thread::yield_now();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    loop {
        let next = shared.fetched.lock().expect("no panic").pop();
        match next {
            Some(thread) => thread.join().expect("no panic"),
            None if *shared.is_told.lock().expect("no panic") => ask_all(&shared),
            None => break,
        }
    }
    let [admitted, ended] = [&shared.admitted, &shared.ended].map(|n| n.load(Ordering::Relaxed));
    assert_eq!(admitted, ended, "each job ends once");
    assert_eq!((shared.queue.waiting(), shared.queue.searching()), (0, 0));
    assert_eq!(shared.queue.open_place(), None);
}

fn schedules() -> usize {
    let given = std::env::var("LOOM_SCHEDULES").ok().and_then(|given| given.parse().ok());
    given.unwrap_or(10_000)
}

#[test]
fn random_schedules_leave_nothing() {
    shuttle::check_random(schedule, schedules());
}

/// With few preemptions, at the worst moments.
#[test]
fn schedules_of_few_preemptions_leave_nothing() {
    shuttle::check_pct(schedule, schedules(), 3);
}
