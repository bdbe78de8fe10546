//! Jobs that wait, and the drainers that run them (the queue and the drainer set, in
//! `README.md`).

use crate::sync::thread;

use super::complete::{Job, Started};
use super::drainer_set::{DrainerSet, Fetch};
use super::jobs::Jobs;

/// The drainer set's word comes first, so that it shares a cache line with the field before the
/// queue.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue {
    drainers: DrainerSet,
    jobs: Jobs,
}

/// A place in the queue for one job.
#[must_use]
pub(crate) struct Reservation<'a> {
    queue: &'a Queue,
    fetch: Fetch,
}

/// What a drainer does besides running jobs. The thread belongs to the pool.
pub(crate) trait Drainer {
    /// Fetches another drainer, which is counted as up already.
    fn fetch(&mut self);

    /// Asked before each job; false to go after it although there may be more.
    fn takes_more(&self) -> bool;

    /// Called between two jobs. `is_searching` says whether submitters rely on its search; while it
    /// does something else it has to pause that.
    fn between(&mut self, queue: &Queue, is_searching: bool);

    /// The queue has no job. Lingers, perhaps until it has one; false to retire.
    fn lingers(&mut self, queue: &Queue) -> bool;
}

impl Queue {
    /// A queue that up to `drainers` drainers empty.
    pub(crate) fn new(drainers: usize) -> Self {
        Self { drainers: DrainerSet::new(drainers), jobs: Jobs::new() }
    }

    /// Jobs that were submitted, and have neither started nor been cancelled.
    pub(crate) fn waiting(&self) -> usize {
        self.drainers.waiting()
    }

    /// Whether a job was submitted that no drainer has seen.
    pub(crate) fn has_new(&self) -> bool {
        self.jobs.has_new()
    }

    /// How many drainers are about to look into the queue.
    pub(crate) fn searching(&self) -> usize {
        self.drainers.searching()
    }

    /// Counts a job in, unless so many wait already.
    pub(crate) fn enter(&self, limit: usize) -> Option<Reservation<'_>> {
        self.drainers.submit(limit).map(|fetch| Reservation { queue: self, fetch })
    }

    /// Counts a job out that was cancelled before it started.
    pub(crate) fn cancel(&self) {
        self.drainers.cancel();
        self.jobs.has_cancelled(self.waiting());
    }

    /// Takes the next job that was not cancelled, and starts it. For threads outside the drainer
    /// set.
    pub(crate) fn start_next(&self) -> Option<Started> {
        let started = self.find()?;
        // A thread that does not search leaves no drainer to be fetched.
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

    /// Empties the queue, as a drainer that was counted as up.
    pub(crate) fn drain(&self, drainer: &mut impl Drainer) {
        let mut is_searching = true;
        loop {
            if let Some(job) = self.find() {
                let fetch = self.drainers.start(is_searching);
                is_searching = false;
                fetch_if_needed(drainer, fetch);
                if !drainer.takes_more() {
                    // Before it works: it holds up a thread that may have another drainer
                    // below, and two on one must not keep the last thread away.
                    let fetch = self.drainers.retire_early();
                    fetch_if_needed(drainer, fetch);
                    return job.run();
                }
                // Before the caller learns of it, since that may submit the next call at once,
                // and need not fetch another for it.
                job.work().finish_after(|| {
                    if self.waiting() == 0 {
                        self.drainers.search();
                        is_searching = true;
                    }
                });
                drainer.between(self, is_searching);
            } else if !is_searching {
                // From here on submitters rely on it, so it looks again.
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

    /// Refuses what waits, in place of a drainer that was counted as up and will not come.
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
    /// Takes the place. True if a drainer has to be fetched, which is counted as up already.
    #[must_use]
    pub(crate) fn submit(self, job: Job) -> bool {
        self.queue.jobs.push(job);
        self.fetch == Fetch::One
    }
}
