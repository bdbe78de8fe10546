//! Random sequences of operations on a queue, on one thread, beside what a plain list would do.

use std::pin::Pin;
use std::task::{Context, Waker};

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Call, Drainer, Draining, End, Generation, Observer, Priority, Queue};
use crate::sync::{Arc, Mutex};

/// Jobs are chosen by a number, modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Submit(usize),
    GiveUp(usize),
    Detach(usize),
    /// A thread comes, if a place is open, and runs so many jobs at most.
    Drain(usize),
    Supersede,
    Limit(usize),
    Lend,
    GiveBack,
    RefuseAll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_usize).prop_map(Step::Submit),
        4 => any::<usize>().prop_map(Step::GiveUp),
        1 => any::<usize>().prop_map(Step::Detach),
        4 => (0..8_usize).prop_map(Step::Drain),
        1 => Just(Step::Supersede),
        1 => (1..4_usize).prop_map(Step::Limit),
        1 => Just(Step::Lend),
        1 => Just(Step::GiveBack),
        1 => Just(Step::RefuseAll),
    ]
}

#[derive(Default)]
struct Log {
    ran: Vec<usize>,
    ended: Vec<(usize, End)>,
}

struct Counted(usize, Arc<Queue>, Arc<Mutex<Log>>);

impl Observer for Counted {
    type After = ();

    fn may_start(&self) -> bool {
        true
    }

    fn withdraw(&self) {
        self.1.cancel();
    }

    fn end(self, end: End, _unwanted: bool) {
        self.2.lock().expect("no panic").ended.push((self.0, end));
    }
}

/// Leaves after so many jobs.
struct Leaving(usize);

impl Drainer for Leaving {
    fn fetch(&mut self, _generation: Generation) {}

    fn stays(&self) -> bool {
        self.0 > 0
    }

    fn is_short(&self, _waker: &Waker) -> bool {
        true
    }

    fn may_hold(&self) -> bool {
        true
    }

    fn between(&mut self, _draining: &Draining<'_>, _ran: u32, _is_searching: bool) {
        self.0 -= 1;
    }

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        false
    }
}

/// What happened to a job, as a plain list would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waits,
    Over,
}

struct Run {
    queue: Arc<Queue>,
    log: Arc<Mutex<Log>>,
    calls: Vec<Option<Call<()>>>,
    fates: Vec<(usize, Fate)>,
    lent: usize,
}

impl Run {
    fn new() -> Self {
        let queue = Arc::new(Queue::new(2));
        Self { queue, log: Arc::default(), calls: Vec::new(), fates: Vec::new(), lent: 0 }
    }

    fn waiting(&self) -> usize {
        self.fates.iter().filter(|(_, fate)| *fate == Fate::Waits).count()
    }

    fn take(&mut self, chosen: usize) -> Option<(usize, Call<()>)> {
        let at = chosen.checked_rem(self.calls.len())?;
        self.calls[at].take().map(|call| (at, call))
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Submit(priority) => self.submit(priority),
            Step::GiveUp(chosen) => {
                let Some((at, mut call)) = self.take(chosen) else { return };
                let was_ready =
                    Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop())).is_ready();
                assert_eq!(was_ready, self.fates[at].1 == Fate::Over);
                self.fates[at].1 = Fate::Over;
            }
            Step::Detach(chosen) => {
                self.take(chosen).into_iter().for_each(|(_, call)| call.detach());
            }
            Step::Drain(jobs) => self.drain(jobs),
            Step::Supersede => assert!(self.queue.supersede_drainers(|_| ()), "none is up"),
            Step::Limit(limit) => self.queue.limit_drainers(limit, |_| ()),
            Step::Lend if self.lent < 3 => {
                self.lent += 1;
                let _fetched = self.queue.lend_place();
            }
            Step::GiveBack if self.lent > 0 => {
                self.lent -= 1;
                self.queue.give_place_back();
            }
            Step::Lend | Step::GiveBack => {}
            Step::RefuseAll => {
                self.queue.refuse_all();
                self.notice_ends();
            }
        }
        assert_eq!(self.queue.waiting(), self.waiting());
    }

    fn submit(&mut self, priority: usize) {
        let number = self.calls.len();
        let log = Arc::clone(&self.log);
        let observer = Counted(number, Arc::clone(&self.queue), Arc::clone(&self.log));
        let work = move || log.lock().expect("no panic").ran.push(number);
        let (job, call) = super::call(work, observer, Priority::ALL[priority]);
        let place = self.queue.enter(usize::MAX).expect("no limit");
        let _fetched = place.submit(job);
        self.calls.push(Some(call));
        self.fates.push((priority, Fate::Waits));
        assert!(self.queue.open_place().is_some(), "a job waits, and nobody is up");
    }

    fn drain(&mut self, jobs: usize) {
        let is_first = self.queue.generation().is_of_first_pool();
        if let Some(generation) = self.queue.arrive(is_first) {
            self.queue.drain(generation, None, &mut Leaving(jobs));
        }
        let ran = std::mem::take(&mut self.log.lock().expect("no panic").ran);
        assert!(ran.len() <= jobs);
        for job in ran {
            let (priority, fate) = self.fates[job];
            assert_eq!(fate, Fate::Waits, "it runs once, and not after it was given up");
            let mut before = self.fates[..job].iter();
            assert!(!before.any(|one| *one == (priority, Fate::Waits)), "an older one waits");
            self.fates[job].1 = Fate::Over;
        }
        self.notice_ends();
    }

    fn notice_ends(&mut self) {
        for (job, _) in &self.log.lock().expect("no panic").ended {
            self.fates[*job].1 = Fate::Over;
        }
    }
}

/// Miri takes about a thousand times as long.
const STEPS: usize = if cfg!(miri) { 40 } else { 200 };

proptest! {
    #[test]
    fn every_job_ends_once_whatever_is_done_to_the_queue(steps in vec(step(), 1..STEPS)) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
        }
        while run.waiting() > 0 {
            // A drainer that leaves early fetches none for the jobs that are left.
            run.queue.fetch_drainers(|_| ());
            run.drain(usize::MAX);
        }
        run.calls.clear();
        let mut ended = std::mem::take(&mut run.log.lock().expect("no panic").ended);
        ended.sort_unstable_by_key(|(job, _)| *job);
        assert!(ended.iter().map(|(job, _)| *job).eq(0..run.fates.len()), "{ended:?}");
    }
}
