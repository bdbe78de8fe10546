//! Random sequences of steps on one future: polls, wakes, jobs, drops and panics in every order, from a
//! seed. First on one thread, where a seed gives the same sequence each time. Then on two, where the task
//! and the rest of the program take their steps at the same time. `LOOM_POLLS_CASES` sets how many.

use std::env;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, Wake as StdWake, Waker};
use std::{hint, thread};

use super::super::outcome::{End, Fault, Queueing};
use super::Handle;
use super::random::Random;
use super::test_host::{Seen, TestHost};
use crate::scheduler::Wake;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, rounds};

/// What a case has seen, and what its future does.
struct Case {
    random: Mutex<Random>,
    /// Wakers that the future has kept, each with the number of its poll: only those of the last one count.
    wakers: Mutex<Vec<(usize, Waker)>>,
    /// How often the future was polled, and the poll whose waker was the last to be woken, or 0.
    polls: AtomicUsize,
    woken_at: AtomicUsize,
    dropped: AtomicUsize,
    values: AtomicUsize,
    has_ended: AtomicUsize,
    /// Whether a job was refused.
    has_refused: AtomicUsize,
    /// A handle that the future drops in its poll.
    own: Mutex<Option<Handle<Value, TestHost>>>,
}

/// It prints nothing.
fn panic_on_purpose() {
    resume_unwind(Box::new("on purpose"));
}

struct Value(Arc<Case>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.values.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Script(Arc<Case>);

impl Script {
    fn step(&self, cx: &mut Context<'_>) -> Poll<Value> {
        let case = &self.0;
        case.polls.fetch_add(1, Ordering::Relaxed);
        let (keeps, wakes, then, drops) = {
            let mut random = case.random.lock().expect("no panic");
            (random.below(3), random.one_in(4), random.below(12), random.one_in(8))
        };
        for _ in 0..keeps {
            let kept = (case.polls.load(Ordering::Relaxed), cx.waker().clone());
            case.wakers.lock().expect("no panic").push(kept);
        }
        if drops {
            let own = case.own.lock().expect("no panic").take();
            drop(own);
        }
        if wakes {
            case.woken_at.fetch_max(case.polls.load(Ordering::Relaxed), Ordering::Relaxed);
            cx.waker().wake_by_ref();
        }
        match then {
            0 | 1 => {
                case.values.fetch_add(1, Ordering::Relaxed);
                case.has_ended.store(1, Ordering::Relaxed);
                Poll::Ready(Value(Arc::clone(case)))
            }
            2 => {
                case.has_ended.store(1, Ordering::Relaxed);
                panic_on_purpose();
                Poll::Pending
            }
            _ => Poll::Pending,
        }
    }
}

impl Future for Script {
    type Output = Value;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Value> {
        self.step(cx)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
        self.0.has_ended.store(1, Ordering::Relaxed);
        if self.0.random.lock().expect("no panic").one_in(4) {
            panic_on_purpose();
        }
    }
}

/// The task that awaits: counts its wakes.
#[derive(Default)]
struct Task(AtomicUsize);

impl StdWake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One case, from its seed.
struct Run {
    case: Arc<Case>,
    seen: Arc<Seen>,
    task: Arc<Task>,
    handle: Option<Handle<Value, TestHost>>,
    /// Whether the task has polled the handle, and waits for a wake.
    is_watched: bool,
    is_detached: bool,
    random: Random,
}

/// The steps of the program without the task: wakes, and what the pool and the runtime do.
struct Outside {
    case: Arc<Case>,
    seen: Arc<Seen>,
    random: Random,
}

impl Outside {
    fn wake(&mut self) {
        let (of_poll, waker) = {
            let mut wakers = self.case.wakers.lock().expect("no panic");
            let len = u64::try_from(wakers.len()).expect("few");
            if len == 0 {
                return;
            }
            wakers.swap_remove(usize::try_from(self.random.below(len)).expect("few"))
        };
        self.case.woken_at.fetch_max(of_poll, Ordering::Relaxed);
        if self.random.one_in(2) {
            waker.wake_by_ref();
        }
        waker.wake();
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..=4 => self.wake(),
            5..=8 => drop(self.seen.run_job()),
            9 => {
                self.case.has_refused.store(1, Ordering::Relaxed);
                self.seen.refuse_job();
            }
            10 => {
                let waker = self.case.wakers.lock().expect("no panic").pop();
                drop(waker);
            }
            _ if self.random.one_in(4) => self.seen.is_gone.store(1, Ordering::Relaxed),
            _ => {}
        }
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let case = Arc::new(Case {
            random: Mutex::new(Random(random.below(u64::MAX))),
            wakers: Mutex::default(),
            polls: AtomicUsize::new(0),
            woken_at: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            values: AtomicUsize::new(0),
            has_ended: AtomicUsize::new(0),
            has_refused: AtomicUsize::new(0),
            own: Mutex::default(),
        });
        let place = AtomicUsize::new(usize::try_from(random.below(2)).expect("small"));
        let host = Seen { place, alternates: random.one_in(2), ..Seen::default() };
        let handle = Some(Handle::new(Script(Arc::clone(&case))));
        let (is_watched, is_detached) = (false, false);
        let (host, task) = (Arc::new(host), Arc::default());
        Self { case, seen: host, task, handle, is_watched, is_detached, random }
    }

    fn outside(&mut self) -> Outside {
        let random = Random(self.random.below(u64::MAX));
        Outside { case: Arc::clone(&self.case), seen: Arc::clone(&self.seen), random }
    }

    fn poll(&mut self) {
        let Some(handle) = &mut self.handle else { return };
        self.is_watched = true;
        let waker = Waker::from(Arc::clone(&self.task));
        let mut cx = Context::from_waker(&waker);
        let polled = if handle.is_alone() {
            handle.poll_alone(&mut cx)
        } else {
            handle.poll(&mut cx, &mut |host: &TestHost, _turn, _wake, poll| {
                if host.0.goes_to_queue() {
                    return Some(Queueing::default());
                }
                poll();
                None
            })
        };
        if let Poll::Ready(outcome) = polled {
            assert!(self.case.has_ended.load(Ordering::Relaxed) > 0 || outcome.is_err());
            assert!(!matches!(outcome, Err(Fault::Refused)) || self.is_refused());
            self.handle = None;
        }
    }

    fn is_refused(&self) -> bool {
        let has_refused = self.case.has_refused.load(Ordering::Relaxed) > 0;
        has_refused || self.seen.is_gone.load(Ordering::Relaxed) > 0
    }

    fn share(&mut self) {
        if let Some(handle) = self.handle.as_mut().filter(|handle| handle.is_alone()) {
            handle.share(TestHost(Arc::clone(&self.seen)), 0, Wake::Begin);
            if self.random.one_in(4) {
                let started = handle.start(&mut |_, _, _, _| Some(Queueing::default()));
                assert!(started.is_pending());
            } else {
                // The turn is the task's.
                self.is_watched = false;
            }
        }
    }

    /// A step of the task.
    fn step(&mut self) {
        match self.random.below(10) {
            0..=4 => self.poll(),
            5..=7 => self.share(),
            8 if self.random.one_in(2) => self.handle = None,
            8 => {
                if let Some(handle) = self.handle.take() {
                    self.is_detached = !handle.is_alone();
                    handle.detach();
                }
            }
            // The future drops its own handle in its next poll on the pool.
            _ if self.handle.as_ref().is_some_and(|handle| !handle.is_alone()) => {
                *self.case.own.lock().expect("no panic") = self.handle.take();
            }
            _ => {}
        }
    }

    /// Runs what there is to run, and polls where the task was woken.
    fn settle(&mut self) {
        loop {
            let woken = self.task.0.swap(0, Ordering::Relaxed) > 0;
            if woken {
                self.poll();
            }
            if !self.seen.run_job() && !woken {
                return;
            }
        }
    }
}

/// Ends a case, and checks what it has left.
fn end(seed: u64, mut run: Run) {
    // Otherwise a wake has to reach the task.
    if !run.is_watched {
        run.poll();
    }
    run.settle();
    let case = Arc::clone(&run.case);
    let is_held = case.own.lock().expect("no panic").is_some();
    let has_ended = case.has_ended.load(Ordering::Relaxed) > 0;
    if (run.handle.is_some() || run.is_detached) && !is_held && !has_ended {
        let (polls, woken_at) =
            (case.polls.load(Ordering::Relaxed), case.woken_at.load(Ordering::Relaxed));
        assert!(woken_at == 0 || polls > woken_at, "seed {seed}: a wake was lost");
    }
    let own = case.own.lock().expect("no panic").take();
    drop((own, run.handle.take()));
    let wakers = std::mem::take(&mut *case.wakers.lock().expect("no panic"));
    for (_, waker) in wakers {
        waker.wake();
    }
    while run.seen.run_job() {}
    drop(std::mem::take(&mut *case.wakers.lock().expect("no panic")));
    while run.seen.run_job() {}
    let ends = run.seen.ends();
    assert!(ends.len() <= 1, "seed {seed}: {ends:?}");
    assert_eq!(case.dropped.load(Ordering::Relaxed), 1, "seed {seed}: futures dropped");
    assert_eq!(case.values.load(Ordering::Relaxed), 0, "seed {seed}: results left");
    assert_eq!(run.seen.waiting.load(Ordering::Relaxed), 0, "seed {seed}: jobs counted");
    assert_eq!(run.seen.in_flight.load(Ordering::Relaxed), 0, "seed {seed}: jobs in flight");
    if let [(end, unwanted)] = ends[..] {
        assert!(!unwanted || end != End::Refused || run.is_refused(), "seed {seed}");
    }
    drop(run);
    assert_eq!(Arc::strong_count(&case), 1, "seed {seed}");
}

fn cases() -> u64 {
    let cases = env::var("LOOM_POLLS_CASES").ok().and_then(|text| text.parse().ok());
    u64::try_from(cases.unwrap_or(rounds(20_000))).expect("it fits")
}

#[test]
fn every_order_of_steps_ends_well() {
    for seed in 0..cases() {
        let mut run = Run::new(seed);
        let mut outside = run.outside();
        for _ in 0..12 {
            if run.random.one_in(2) {
                run.step();
            } else {
                outside.step();
            }
        }
        drop(outside);
        end(seed, run);
    }
}

/// Says that its thread takes no more part, also where it panics.
struct Gone<'a>(&'a AtomicUsize);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.store(1, Ordering::Release);
    }
}

/// Two threads pass cases to and fro without a sleep, so that their steps meet.
#[test]
fn steps_at_the_same_time_end_well() {
    let cases = cases();
    let given: Mutex<Option<Outside>> = Mutex::default();
    // Odd: the other thread has a case, and steps beside the task. Even: it has ended its steps.
    let (turn, gone) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // False if the other thread is gone before.
    let until = |is_odd: usize| {
        let mut waited = 0_u32;
        loop {
            let is_gone = gone.load(Ordering::Acquire) > 0;
            let is_so = turn.load(Ordering::Acquire) % 2 == is_odd;
            if is_so || is_gone {
                return is_so;
            }
            waited += 1;
            if waited.is_multiple_of(100) { thread::yield_now() } else { hint::spin_loop() }
        }
    };
    let pass = || turn.fetch_add(1, Ordering::Release);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _gone = Gone(&gone);
            while until(1) {
                let mut outside = given.lock().expect("no panic").take().expect("it was given");
                for _ in 0..8 {
                    outside.step();
                }
                drop(outside);
                pass();
            }
        });
        let _gone = Gone(&gone);
        for seed in 0..cases {
            let mut run = Run::new(seed);
            // What others can do begins with this.
            if run.random.one_in(4) {
                run.poll();
            }
            run.share();
            *given.lock().expect("no panic") = Some(run.outside());
            pass();
            for _ in 0..8 {
                run.step();
            }
            assert!(until(0), "seed {seed}: the other thread has panicked");
            end(seed, run);
        }
    });
}
