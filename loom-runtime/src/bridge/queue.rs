//! The queue: jobs that wait, and the loop of the drainers that run them (`README.md`).

use crate::sync::thread;

use super::complete::{Job, Started};
use super::drainer_set::{DrainerSet, Fetch, Generation};
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
    fn fetch(&mut self, generation: Generation);

    /// Called before each job. False if the drainer retires with this job, even if more wait.
    fn takes_more(&self) -> bool;

    /// Called between two jobs. `is_searching` says whether submitters rely on this drainer's
    /// search; to do other work it then has to [pause](Draining::pause_search) the search.
    fn between(&mut self, draining: &Draining<'_>, is_searching: bool);

    /// Called when the queue has no job. Lingers, perhaps until it has one. False to retire.
    fn lingers(&mut self, draining: &Draining<'_>) -> bool;
}

/// The queue as a drainer sees it.
pub(crate) struct Draining<'a> {
    pub(super) queue: &'a Queue,
    generation: Generation,
}

impl Draining<'_> {
    /// As [`Queue::waiting`].
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Whether the inbox has a job that no drainer has moved to the lists.
    pub(crate) fn has_new(&self) -> bool {
        self.queue.jobs.has_new()
    }

    /// Runs `f`, during which no submitter relies on this drainer's search.
    pub(crate) fn pause_search<R>(&self, drainer: &mut impl Drainer, f: impl FnOnce() -> R) -> R {
        let fetch = self.queue.drainers.pause_search(self.generation);
        fetch_if_needed(drainer, fetch);
        let result = f();
        // If it is superseded, it leaves before it takes a job, and its search is not counted.
        let _is_current = self.queue.drainers.search(self.generation);
        result
    }
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

    /// How many drainers are about to look into the queue.
    pub(crate) fn searching(&self) -> usize {
        self.drainers.searching()
    }

    /// How many drainers are up.
    #[cfg(all(test, loom_model))]
    pub(super) fn up(&self) -> u32 {
        self.drainers.up()
    }

    /// How many drainers may be up at the same time.
    #[cfg(feature = "dashboard")]
    pub(crate) fn drainer_limit(&self) -> usize {
        self.drainers.limit()
    }

    /// Changes how many drainers may be up, and calls `fetch` for each one that is now needed. What
    /// runs already is not interrupted.
    pub(crate) fn limit_drainers(&self, limit: usize, fetch: impl FnMut(Generation)) {
        self.drainers.set_limit(limit);
        self.fetch_drainers(fetch);
    }

    /// Calls `fetch` for each drainer that is needed and has not been fetched. A submitter that has
    /// read a lower limit may have left that to the next call of this.
    pub(crate) fn fetch_drainers(&self, mut fetch: impl FnMut(Generation)) {
        while let Fetch::One(generation) = self.drainers.fetch_more() {
            fetch(generation);
        }
    }

    /// From now on drainers of the next generation run the jobs; `fetch` is called for each one
    /// that is needed. False, and nothing has changed, while a drainer has not left that was
    /// superseded 15 changes ago.
    pub(crate) fn supersede_drainers(&self, mut fetch: impl FnMut(Generation)) -> bool {
        let Some((generation, needed)) = self.drainers.supersede() else { return false };
        (0..needed).for_each(|_| fetch(generation));
        true
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
        let _fetch = self.drainers.start(None);
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

    /// Runs jobs until it leaves the set, as a drainer that was counted as up and searching.
    pub(crate) fn drain(&self, generation: Generation, drainer: &mut impl Drainer) {
        let draining = Draining { queue: self, generation };
        let mut is_searching = true;
        while !self.drainers.leaves(generation, is_searching) {
            if let Some(job) = self.find() {
                let fetch = self.drainers.start(is_searching.then_some(generation));
                is_searching = false;
                fetch_if_needed(drainer, fetch);
                if !drainer.takes_more() {
                    // It leaves the set before its job runs: its thread may have another drainer
                    // below it on the stack. Two drainers that are up on one thread would use up
                    // the place of a drainer on another thread.
                    let fetch = self.drainers.retire_early(generation);
                    fetch_if_needed(drainer, fetch);
                    return job.run();
                }
                // It searches before the caller can see the outcome: the caller may submit the
                // next call at once, and then need not fetch a drainer for it.
                job.work().finish_after(|| {
                    is_searching = self.waiting() == 0 && self.drainers.search(generation);
                });
                drainer.between(&draining, is_searching);
            } else if !is_searching {
                // From here on submitters rely on this search, so the drainer looks again.
                is_searching = self.drainers.search(generation);
            } else if !drainer.lingers(&draining) && self.drainers.retire(generation) {
                return;
            }
        }
    }

    /// Refuses all jobs that wait, in place of a drainer that was counted as up and will not come.
    pub(crate) fn refuse_all(&self, generation: Generation) {
        let mut is_searching = true;
        while !self.drainers.leaves(generation, is_searching) {
            if let Some(job) = self.find() {
                let fetch = self.drainers.start(is_searching.then_some(generation));
                if let Fetch::One(generation) = fetch {
                    self.drainers.count_out(generation);
                }
                is_searching = false;
                drop(job);
            } else if !is_searching {
                is_searching = self.drainers.search(generation);
            } else if self.drainers.retire(generation) {
                return;
            } else {
                // A job was counted in, and its submitter is about to push it.
                thread::yield_now();
            }
        }
    }
}

fn fetch_if_needed(drainer: &mut impl Drainer, fetch: Fetch) {
    if let Fetch::One(generation) = fetch {
        drainer.fetch(generation);
    }
}

impl Reservation<'_> {
    /// Pushes the job. Returns the generation of a drainer that the caller has to fetch, and that
    /// is counted as up already, if one is needed.
    #[must_use]
    pub(crate) fn submit(self, job: Job) -> Option<Generation> {
        self.queue.jobs.push(job);
        match self.fetch {
            Fetch::One(generation) => Some(generation),
            Fetch::None => None,
        }
    }
}
