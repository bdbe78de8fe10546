//! Calls endure every waker: in their slots, and under a drainer.

use std::cell::RefCell;
use std::task::Waker;

use super::complete::{Job, Started};
use super::queue_tests::{Uncounted, come_with};
use super::{Call, Drainer, Draining, End, Generation, Observer, Priority, Queue};
use crate::hostile::{Place, endure};
use crate::sync::Arc;

/// Jobs that run when the test says so, or are refused.
struct Slots {
    jobs: RefCell<Vec<Job>>,
    refuses: bool,
}

impl Place for Slots {
    type Wait = Call<()>;

    fn wait(&self) -> Call<()> {
        let (job, call) = super::call(|| (), Uncounted, Priority::Normal);
        self.jobs.borrow_mut().push(job);
        call
    }

    fn fire(&self) {
        let jobs = self.jobs.take();
        for job in jobs {
            if self.refuses {
                drop(job);
            } else {
                job.start().into_iter().for_each(Started::run);
            }
        }
    }
}

#[test]
fn a_slot_endures_every_waker() {
    for refuses in [false, true] {
        endure(|| Slots { jobs: RefCell::default(), refuses });
    }
}

/// Jobs in a queue.
struct Queued {
    queue: Arc<Queue>,
    refuses: bool,
}

impl Queued {
    fn new(refuses: bool) -> Self {
        Self { queue: Arc::new(Queue::new(4)), refuses }
    }
}

impl Place for Queued {
    type Wait = Call<()>;

    fn wait(&self) -> Call<()> {
        let (job, call) = super::call(|| (), Counted(Arc::clone(&self.queue)), Priority::Normal);
        let _fetch = self.queue.enter(usize::MAX).expect("no limit").submit(job);
        call
    }

    fn fire(&self) {
        if self.refuses {
            // As where the last handle of a runtime was dropped.
            self.queue.refuse_all();
        } else {
            while come_with(&self.queue, None, &mut Calm) {}
        }
    }
}

/// Counts out what is cancelled.
struct Counted(Arc<Queue>);

impl Observer for Counted {
    type After = ();

    fn may_start(&self) -> bool {
        true
    }

    fn withdraw(&self) {
        self.0.cancel();
    }

    fn end(self, _end: End, _unwanted: bool) {}
}

/// Knows no waker, and fetches nobody: a place stays open until the test brings a thread.
struct Calm;

impl Drainer for Calm {
    fn fetch(&mut self, _generation: Generation) {}

    fn stays(&self) -> bool {
        true
    }

    fn is_short(&self, _waker: &Waker) -> bool {
        false
    }

    fn may_hold(&self) -> bool {
        true
    }

    fn between(&mut self, _draining: &Draining<'_>, _ran: u32, _is_searching: bool) {}

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        false
    }
}

#[test]
fn a_queue_endures_every_waker() {
    for refuses in [false, true] {
        endure(|| Queued::new(refuses));
    }
}
