//! The queue: jobs that wait, and the loop of the drainers that run them (`README.md`).

use crate::sync::thread;

use super::complete::{Job, Started};
use super::drainer_set::{DrainerSet, Fetch};
use super::jobs::Jobs;

/// The drainer set's word comes first, so that it shares a cache line with the field that the owner
/// of the queue places before it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue {
    drainers: DrainerSet,
    jobs: Jobs,
}

/// A place in the queue for one job, which is counted as waiting already.
#[must_use]
pub(crate) struct Reservation<'a> {
    queue: &'a Queue,
    fetch: Fetch,
}

/// What a drainer does besides running jobs, on a thread that belongs to the pool.
pub(crate) trait Drainer {
    /// Fetches another drainer, which is counted as up already.
    fn fetch(&mut self);

    /// Called before each job. False if the drainer retires with this job, even if more wait.
    fn takes_more(&self) -> bool;

    /// Called between two jobs. `is_searching` says whether submitters rely on this drainer's
    /// search; to do other work it then has to [pause](Queue::pause_search) the search.
    fn between(&mut self, queue: &Queue, is_searching: bool);

    /// Called when the queue has no job. Lingers, perhaps until it has one. False to retire.
    fn lingers(&mut self, queue: &Queue) -> bool;
}

impl Queue {
    /// A queue with at most `drainers` drainers.
    pub(crate) fn new(drainers: usize) -> Self {
        Self { drainers: DrainerSet::new(drainers), jobs: Jobs::new() }
    }

    /// Jobs that were submitted, and have neither started nor been cancelled.
    pub(crate) fn waiting(&self) -> usize {
        self.drainers.waiting()
    }

    /// Whether the inbox has a job that no drainer has moved to the lists.
    pub(crate) fn has_new(&self) -> bool {
        self.jobs.has_new()
    }

    /// How many drainers are about to look into the queue.
    pub(crate) fn searching(&self) -> usize {
        self.drainers.searching()
    }

    /// Counts a job in. `None` if `limit` jobs or more wait already.
    pub(crate) fn enter(&self, limit: usize) -> Option<Reservation<'_>> {
        self.drainers.submit(limit).map(|fetch| Reservation { queue: self, fetch })
    }

    /// Counts out a job that was cancelled before it started.
    pub(crate) fn cancel(&self) {
        self.drainers.cancel();
        self.jobs.has_cancelled(self.waiting());
    }

    /// Takes the next job that was not cancelled, and starts it. For threads outside the drainer
    /// set.
    pub(crate) fn start_next(&self) -> Option<Started> {
        let started = self.find()?;
        // Always `Fetch::None`, since this thread does not search.
        let _fetch = self.drainers.start(false);
        Some(started)
    }

    fn find(&self) -> Option<Started> {
        while let Some(job) = self.jobs.pop() {
            match job.start() {
                Some(started) => return Some(started),
                None => self.jobs.forget(1),
            }
        }
        None
    }

    /// Runs jobs until it retires, as a drainer that was counted as up and searching.
    pub(crate) fn drain(&self, drainer: &mut impl Drainer) {
        let mut is_searching = true;
        loop {
            if let Some(job) = self.find() {
                let fetch = self.drainers.start(is_searching);
                is_searching = false;
                fetch_if_needed(drainer, fetch);
                if !drainer.takes_more() {
                    // It leaves the set before its job runs: its thread may have another drainer
                    // below it on the stack. Two drainers that are up on one thread would use up
                    // the place of a drainer on another thread.
                    let fetch = self.drainers.retire_early();
                    fetch_if_needed(drainer, fetch);
                    return job.run();
                }
                // It searches before the caller can see the outcome: the caller may submit the
                // next call at once, and then need not fetch a drainer for it.
                job.work().finish_after(|| {
                    if self.waiting() == 0 {
                        self.drainers.search();
                        is_searching = true;
                    }
                });
                drainer.between(self, is_searching);
            } else if !is_searching {
                // From here on submitters rely on this search, so the drainer looks again.
                self.drainers.search();
                is_searching = true;
            } else if !drainer.lingers(self) && self.drainers.retire() {
                return;
            }
        }
    }

    /// Runs `f`, during which no submitter relies on this drainer's search.
    pub(crate) fn pause_search<R>(&self, drainer: &mut impl Drainer, f: impl FnOnce() -> R) -> R {
        let fetch = self.drainers.pause_search();
        fetch_if_needed(drainer, fetch);
        let result = f();
        self.drainers.search();
        result
    }

    /// Refuses all jobs that wait, in place of a drainer that was counted as up and will not come.
    pub(crate) fn refuse_all(&self) {
        let mut is_searching = true;
        loop {
            if let Some(job) = self.find() {
                if self.drainers.start(is_searching) == Fetch::One {
                    self.drainers.count_out();
                }
                is_searching = false;
                drop(job);
            } else if !is_searching {
                self.drainers.search();
                is_searching = true;
            } else if self.drainers.retire() {
                return;
            } else {
                // A job was counted in, and its submitter is about to push it.
                thread::yield_now();
            }
        }
    }
}

fn fetch_if_needed(drainer: &mut impl Drainer, fetch: Fetch) {
    if fetch == Fetch::One {
        drainer.fetch();
    }
}

impl Reservation<'_> {
    /// Pushes the job. True if the caller has to fetch a drainer, which is counted as up already.
    #[must_use]
    pub(crate) fn submit(self, job: Job) -> bool {
        self.queue.jobs.push(job);
        self.fetch == Fetch::One
    }
}
