//! A host for tests, which sends polls where the test says, and jobs into a list.

use std::task::RawWakerVTable;

use crate::scheduler::Wake;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::modelled::Mutex as ModelledMutex;
use crate::sync::{Arc, Mutex, PoisonError};

use super::super::complete::{Job, Started};
use super::super::outcome::{End, Queueing};
use super::{Host, waker_table};

/// What the host of a test has seen. The model checker sees nothing of it but the jobs.
#[derive(Default)]
pub(super) struct Seen {
    /// Hands jobs over as the queue does, with the same order between threads.
    pub(super) jobs: ModelledMutex<Vec<Job>>,
    /// Jobs that were counted in, and neither run nor cancelled.
    pub(super) waiting: AtomicUsize,
    /// Jobs that were counted in, and have neither ended nor been withdrawn.
    pub(super) in_flight: AtomicUsize,
    /// Even: polls go to the queue. Each poll adds one, if the test wants them to alternate.
    pub(super) place: AtomicUsize,
    pub(super) alternates: bool,
    pub(super) ends: Mutex<Vec<(End, bool)>>,
    pub(super) is_gone: AtomicUsize,
    /// Told of each job.
    pub(super) pushed: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Seen {
    pub(super) fn next_job(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        (!jobs.is_empty()).then(|| jobs.remove(0))
    }

    /// Runs a job as a drainer does. False if there is none.
    pub(super) fn run_job(&self) -> bool {
        self.take_job(|started| started.work().finish())
    }

    /// Refuses a job, as the end of a runtime does. False if there is none.
    #[cfg(not(loom_model))]
    pub(super) fn refuse_job(&self) -> bool {
        self.take_job(drop)
    }

    fn take_job(&self, end: impl FnOnce(Started)) -> bool {
        let Some(job) = self.next_job() else { return false };
        if let Some(started) = job.start() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            end(started);
        }
        true
    }

    pub(super) fn goes_to_queue(&self) -> bool {
        let step = usize::from(self.alternates);
        self.place.fetch_add(step, Ordering::Relaxed).is_multiple_of(2)
    }

    pub(super) fn ends(&self) -> Vec<(End, bool)> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) struct TestHost(pub(super) Arc<Seen>);

static TABLE: RawWakerVTable = waker_table::<TestHost>();

impl Host for TestHost {
    type Turn = u32;
    type After = ();
    type Queue = Arc<Seen>;

    fn table() -> &'static RawWakerVTable {
        &TABLE
    }

    fn wake() -> Wake {
        Wake::Thread
    }

    fn queue(&self) -> Arc<Seen> {
        Arc::clone(&self.0)
    }

    fn place(&self, turn: &mut u32, _wake: Wake, is_awaited: bool) -> Option<Queueing> {
        *turn += 1;
        (!is_awaited || self.0.goes_to_queue()).then(Queueing::default)
    }

    fn submit(queue: Arc<Seen>, job: &mut dyn FnMut() -> Option<Job>) {
        queue.waiting.fetch_add(1, Ordering::Relaxed);
        queue.in_flight.fetch_add(1, Ordering::Relaxed);
        if let Some(job) = job() {
            queue.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(job);
            queue.pushed.iter().for_each(|pushed| pushed());
        } else {
            queue.waiting.fetch_sub(1, Ordering::Relaxed);
            queue.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn withdraw(&self, waits: bool) {
        self.0.waiting.fetch_sub(usize::from(waits), Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    fn may_start(&self) -> bool {
        self.0.is_gone.load(Ordering::Relaxed) == 0
    }

    fn around(&self, turn: &mut u32, _wake: Wake, poll: &mut dyn FnMut()) {
        *turn += 1;
        poll();
        // It is in use during the poll.
        *turn += 1;
    }

    fn after(&self, turn: &mut u32, _end: Option<End>) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        *turn += 1;
    }

    fn end(self, _turn: u32, end: End, unwanted: bool) {
        let mut ends = self.0.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.push((end, unwanted));
    }
}
