//! The queue: jobs that wait, and the loop of the drainers that run them (`README.md`).

use std::mem;
use std::task::Waker;

use crate::panics::KeptWaker;
use crate::sync::modelled::yield_now;

use super::complete::{HandOver, Job, Started};
use super::drainer_set::{DrainerSet, Fetch, Generation};
use super::held::{Held, Holding};
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

/// What a drainer does besides running jobs, on a thread that has arrived.
pub(crate) trait Drainer {
    /// Fetches a thread for a place that has been opened.
    fn fetch(&mut self, generation: Generation);

    /// Called before each job. False if the drainer leaves, even if jobs wait.
    fn stays(&self) -> bool;

    /// Whether waking this waker takes no longer than a submitter may wait.
    fn is_short(&self, waker: &Waker) -> bool;

    /// Whether another thread wakes what is held back if this one does not get on.
    fn may_hold(&self) -> bool;

    /// Called between two jobs, while nothing is held back, with how many jobs have run since the last
    /// time. `is_searching` says whether submitters rely on this drainer's search; to do other work
    /// it then has to [pause](Draining::pause_search) the search.
    fn between(&mut self, draining: &Draining<'_>, ran: u32, is_searching: bool);

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
    /// A queue with at most `drainers` drainers, spares aside.
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

    /// How many jobs are linked, the cancelled ones included.
    #[cfg(all(test, not(loom_model)))]
    pub(super) fn linked(&self) -> usize {
        self.waiting() + self.jobs.cancelled()
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

    /// Opens a place for one more drainer although others are about to look into the queue: jobs wait,
    /// and none has ended for a while. The caller asks threads to come.
    pub(crate) fn open_despite_search(&self) {
        self.drainers.open_despite_search();
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

    /// Counts out a job that was cancelled before it started. Returns how many linked jobs it has
    /// visited, which is a bounded number.
    pub(crate) fn cancel(&self) -> usize {
        self.drainers.cancel();
        self.jobs.has_cancelled(self.waiting())
    }

    /// The generation of drainers that is current.
    pub(crate) fn generation(&self) -> Generation {
        self.drainers.generation()
    }

    /// The generation that has a place open, which no thread has taken.
    pub(crate) fn open_place(&self) -> Option<Generation> {
        self.drainers.open_place()
    }

    /// A thread of one of the two pools has come. Where it takes an open place, it has to
    /// [drain](Self::drain) as a drainer of that generation.
    pub(crate) fn arrive(&self, is_of_first_pool: bool) -> Option<Generation> {
        self.drainers.arrive(is_of_first_pool)
    }

    /// A thread that waits lends its place. Returns the generation that has a place open, if any:
    /// the caller then has to fetch a spare.
    #[must_use]
    pub(crate) fn lend_place(&self) -> Option<Generation> {
        self.drainers.lend()
    }

    /// The thread goes on. A spare too many leaves after its call.
    pub(crate) fn give_place_back(&self) {
        self.drainers.give_back();
    }

    /// How many threads have lent their place. Called after a place was opened, to choose who is
    /// fetched.
    pub(crate) fn lent_places(&self) -> usize {
        self.drainers.lent()
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

    /// Runs jobs until it leaves the set, on a thread that has arrived. It may hold wakers in `held`,
    /// which only this drainer uses.
    pub(crate) fn drain(
        &self,
        generation: Generation,
        held: Option<&Held>,
        drainer: &mut impl Drainer,
    ) {
        let draining = Draining { queue: self, generation };
        let mut holding = Holding::of(held);
        let mut is_searching = true;
        let mut ran = 0;
        loop {
            if let Some(fetch) = self.drainers.leaves(generation, is_searching) {
                holding.wake_all();
                return fetch_if_needed(drainer, fetch);
            }
            if !drainer.stays() {
                let fetch = self.drainers.leave_early(generation, is_searching);
                holding.wake_all();
                return fetch_if_needed(drainer, fetch);
            }
            if let Some(job) = self.find() {
                let fetch = self.drainers.start(is_searching.then_some(generation));
                is_searching = false;
                fetch_if_needed(drainer, fetch);
                holding.runs(job.priority(), job.micros());
                job.work().finish_with(&mut Ending {
                    queue: self,
                    generation,
                    drainer: &mut *drainer,
                    holding: &mut holding,
                    is_searching: &mut is_searching,
                    is_short: false,
                });
                ran += 1;
                if holding.is_empty() {
                    drainer.between(&draining, mem::take(&mut ran), is_searching);
                }
            } else if !holding.is_empty() {
                holding.wake_all();
            } else if !is_searching {
                // From here on submitters rely on this search, so the drainer looks again.
                is_searching = self.drainers.search(generation);
            } else if !drainer.lingers(&draining) && self.drainers.retire(generation) {
                return;
            }
        }
    }

    /// Refuses the jobs for which no thread will come. Runs code of the user: destructors and
    /// wakers.
    pub(crate) fn refuse_all(&self) {
        while let Some(generation) = self.drainers.take_place(|_| true) {
            self.refuse_as(generation);
        }
    }

    fn refuse_as(&self, generation: Generation) {
        let mut is_searching = true;
        // A place that this opens is taken by the caller.
        while self.drainers.leaves(generation, is_searching).is_none() {
            if let Some(job) = self.find() {
                // A place that this opens is taken by the caller.
                let _fetch = self.drainers.start(is_searching.then_some(generation));
                is_searching = false;
                drop(job);
            } else if !is_searching {
                is_searching = self.drainers.search(generation);
            } else if self.drainers.retire(generation) {
                return;
            } else {
                // A job was counted in, and its submitter is about to push it.
                yield_now();
            }
        }
    }
}

/// A drainer that hands the outcome of a job over.
struct Ending<'a, 'h, D> {
    queue: &'a Queue,
    generation: Generation,
    drainer: &'a mut D,
    holding: &'a mut Holding<'h>,
    is_searching: &'a mut bool,
    /// Whether waking what waits takes no longer than a submitter may wait.
    is_short: bool,
}

impl<D: Drainer> HandOver for Ending<'_, '_, D> {
    fn before(&mut self, waker: Option<&Waker>) {
        let drainers = &self.queue.drainers;
        self.is_short = waker.is_none_or(|waker| self.drainer.is_short(waker));
        // It searches before the caller can see the outcome: the caller may submit the next call at
        // once, and then need not fetch a drainer for it. It does not search while a waker runs that
        // may take any time.
        if *self.is_searching && !self.is_short {
            *self.is_searching = false;
            fetch_if_needed(self.drainer, drainers.pause_search(self.generation));
        } else if !*self.is_searching && self.is_short {
            *self.is_searching = self.queue.waiting() == 0 && drainers.search(self.generation);
        }
    }

    fn before_drop(&mut self) {
        self.holding.wake_all();
        // A drop may take any time, too.
        if mem::take(self.is_searching) {
            let fetch = self.queue.drainers.pause_search(self.generation);
            fetch_if_needed(self.drainer, fetch);
        }
    }

    fn wake(&mut self, waker: Waker) {
        if self.is_short {
            let Self { queue, drainer, holding, .. } = self;
            return holding.hold_or_wake(
                waker,
                || drainer.may_hold(),
                || queue.drainers.waiting_for_each(),
            );
        }
        // The order in which the jobs ended.
        self.holding.wake_all();
        KeptWaker::from(waker).wake();
    }
}

fn fetch_if_needed(drainer: &mut impl Drainer, fetch: Fetch) {
    if let Fetch::One(generation) = fetch {
        drainer.fetch(generation);
    }
}

impl Reservation<'_> {
    /// Counts the job out, which was never made. A drainer that this returns has to be fetched all the same.
    #[must_use]
    pub(crate) fn withdraw(self) -> Option<Generation> {
        self.queue.drainers.cancel();
        match self.fetch {
            Fetch::One(generation) => Some(generation),
            Fetch::None => None,
        }
    }

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
