//! Random sequences of operations on a set of timers, beside a plain list of them.

use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::timers::{Key, Timer, Timers};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};

const WAKERS: usize = 4;

/// Timers and drivers are chosen by a number, modulo how many there are. Times are milliseconds.
#[derive(Clone, Debug)]
enum Step {
    Register(u64, usize),
    Look(usize, usize),
    Forget(usize),
    Advance(u64),
    AddDriver,
    RemoveDriver(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..100_u64, 0..WAKERS).prop_map(|(at, waker)| Step::Register(at, waker)),
        4 => (any::<usize>(), 0..WAKERS).prop_map(|(timer, waker)| Step::Look(timer, waker)),
        2 => any::<usize>().prop_map(Step::Forget),
        3 => (0..20_u64).prop_map(Step::Advance),
        1 => Just(Step::AddDriver),
        1 => any::<usize>().prop_map(Step::RemoveDriver),
    ]
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A timer as the plain list has it.
struct Plain {
    key: Key,
    at: u64,
    /// `None` once it was abandoned, and its waker was called.
    waker: Option<usize>,
    is_gone: bool,
}

struct Run {
    timers: Timers,
    origin: Instant,
    now: u64,
    wakes: Vec<Arc<Wakes>>,
    /// How often each waker should have been called.
    expected: [usize; WAKERS],
    all: Vec<Plain>,
    drivers: Vec<u64>,
    is_abandoned: bool,
}

impl Run {
    fn new() -> Self {
        let origin = Instant::now();
        Self {
            timers: Timers::from(origin),
            origin,
            now: 0,
            wakes: (0..WAKERS).map(|_| Arc::default()).collect(),
            expected: [0; WAKERS],
            all: Vec::new(),
            drivers: Vec::new(),
            is_abandoned: false,
        }
    }

    fn instant(&self, at: u64) -> Instant {
        self.origin + Duration::from_millis(at)
    }

    fn waker(&self, waker: usize) -> Waker {
        Waker::from(Arc::clone(&self.wakes[waker]))
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Register(after, waker) => {
                let at = self.now + after;
                let key = self.timers.register(self.instant(at), self.waker(waker));
                assert_eq!(key.is_none(), self.is_abandoned);
                let new = |key| Plain { key, at, waker: Some(waker), is_gone: false };
                self.all.extend(key.map(new));
            }
            Step::Look(chosen, waker) => self.look(chosen, waker),
            Step::Forget(chosen) => {
                let Some(at) = chosen.checked_rem(self.all.len()) else { return };
                self.timers.forget(self.all[at].key);
                self.all[at].is_gone = true;
            }
            Step::Advance(by) => self.advance(by),
            Step::AddDriver => {
                self.drivers.push(self.timers.add_driver(Waker::noop().clone()));
                self.is_abandoned = false;
            }
            Step::RemoveDriver(chosen) => {
                let Some(at) = chosen.checked_rem(self.drivers.len()) else { return };
                self.timers.remove_driver(self.drivers.remove(at));
                if self.drivers.is_empty() {
                    self.is_abandoned = true;
                    for timer in self.all.iter_mut().filter(|timer| !timer.is_gone) {
                        if let Some(waker) = timer.waker.take() {
                            self.expected[waker] += 1;
                        }
                    }
                }
            }
        }
        self.check();
    }

    fn look(&mut self, chosen: usize, waker: usize) {
        let Some(at) = chosen.checked_rem(self.all.len()) else { return };
        let seen = self.timers.look(self.all[at].key, &self.waker(waker));
        let timer = &mut self.all[at];
        let expected = match (timer.is_gone, self.is_abandoned) {
            (true, _) => Timer::Fired,
            (false, true) => Timer::Abandoned,
            (false, false) => Timer::Waits,
        };
        assert_eq!(seen, expected);
        if seen == Timer::Waits {
            timer.waker = Some(waker);
        }
    }

    fn advance(&mut self, by: u64) {
        self.now += by;
        self.timers.advance(self.instant(self.now), &mut Vec::new());
        let now = self.now;
        for timer in self.all.iter_mut().filter(|timer| !timer.is_gone && timer.at <= now) {
            timer.is_gone = true;
            if let Some(waker) = timer.waker {
                self.expected[waker] += 1;
            }
        }
    }

    fn check(&self) {
        let left = self.all.iter().filter(|timer| !timer.is_gone);
        assert_eq!(self.timers.len(), left.clone().count());
        assert_eq!(self.timers.first(), left.map(|timer| self.instant(timer.at)).min());
        let called: Vec<_> =
            self.wakes.iter().map(|wakes| wakes.0.load(Ordering::Relaxed)).collect();
        assert_eq!(called, self.expected);
    }
}

/// Miri takes about a thousand times as long.
const STEPS: usize = if cfg!(miri) { 40 } else { 200 };

proptest! {
    #[test]
    fn timers_do_what_a_plain_list_does(steps in vec(step(), 1..STEPS)) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
        }
        // What is dropped wakes nobody.
        let wakes = run.wakes.clone();
        drop(run.timers);
        for (wakes, expected) in wakes.iter().zip(run.expected) {
            assert_eq!(wakes.0.load(Ordering::Relaxed), expected);
        }
    }
}
