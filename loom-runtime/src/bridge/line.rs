//! Jobs that wait, and the drainers that come for them (the line and the crew, in
//! `README.md`).

use crate::sync::thread;

use super::complete::{Job, Started};
use super::crew::{Crew, Fetch};
use super::queue::Queue;

/// The crew's word comes first, so that it shares a cache line with what stands before a
/// line.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Line {
    crew: Crew,
    queue: Queue,
}

/// A place in the line for one job.
#[must_use]
pub(crate) struct Place<'a> {
    line: &'a Line,
    fetch: Fetch,
}

/// What a drainer does beside running jobs; its thread is somebody else's.
pub(crate) trait Drainer {
    /// Fetches another drainer, which is counted as up already.
    fn fetch(&mut self);

    /// Asked before each job; false to go after it although there may be more.
    fn goes_on(&self) -> bool;

    /// Called between two jobs. Tells whether others may rely on its search, which it leaves
    /// while it does something else.
    fn between(&mut self, line: &Line, is_searching: bool);

    /// There is nothing to start. Lingers, perhaps until there is; false to go home.
    fn lingers(&mut self, line: &Line) -> bool;
}

impl Line {
    /// A line that up to so many drainers empty.
    pub(crate) fn new(drainers: usize) -> Self {
        Self { crew: Crew::new(drainers), queue: Queue::new() }
    }

    /// Jobs that were submitted, and have neither started nor been cancelled.
    pub(crate) fn waiting(&self) -> usize {
        self.crew.waiting()
    }

    /// Whether a job was submitted that no drainer has seen.
    pub(crate) fn has_new(&self) -> bool {
        self.queue.has_new()
    }

    /// How many drainers are just about to look into the line.
    pub(crate) fn searching(&self) -> usize {
        self.crew.searching()
    }

    /// Counts a job in, unless so many wait already.
    pub(crate) fn enter(&self, limit: usize) -> Option<Place<'_>> {
        self.crew.submit(limit).map(|fetch| Place { line: self, fetch })
    }

    /// Counts a job out that was cancelled before it started.
    pub(crate) fn cancel(&self) {
        self.crew.cancel();
        self.queue.has_cancelled(self.waiting());
    }

    /// Takes the next job that was not cancelled, and starts it. For those who are not of the
    /// crew.
    pub(crate) fn start_next(&self) -> Option<Started> {
        let started = self.find()?;
        // Whoever does not search leaves nobody to be fetched.
        let _nobody = self.crew.start(false);
        Some(started)
    }

    fn find(&self) -> Option<Started> {
        while let Some(job) = self.queue.pop() {
            match job.start() {
                Some(started) => return Some(started),
                None => self.queue.forget(1),
            }
        }
        None
    }

    /// Empties the line, as a drainer that was counted as up.
    pub(crate) fn drain(&self, drainer: &mut impl Drainer) {
        let mut is_searching = true;
        loop {
            if let Some(job) = self.find() {
                let fetch = self.crew.start(is_searching);
                is_searching = false;
                serve(drainer, fetch);
                if !drainer.goes_on() {
                    // Before it works: it holds up a thread that may have another drainer
                    // below, and two on one must not keep the last thread away.
                    let fetch = self.crew.go_early();
                    serve(drainer, fetch);
                    return job.run();
                }
                // Before the caller learns of it, since that may submit the next call at once,
                // and need not fetch another for it.
                job.work().finish_after(|| {
                    if self.waiting() == 0 {
                        self.crew.search();
                        is_searching = true;
                    }
                });
                drainer.between(self, is_searching);
            } else if !is_searching {
                // From here on submitters rely on it, so it looks again.
                self.crew.search();
                is_searching = true;
            } else if !drainer.lingers(self) && self.crew.go_home() {
                return;
            }
        }
    }

    /// Does something else for a while, during which nobody relies on this drainer's search.
    pub(crate) fn look_away<R>(&self, drainer: &mut impl Drainer, f: impl FnOnce() -> R) -> R {
        let fetch = self.crew.look_away();
        serve(drainer, fetch);
        let result = f();
        self.crew.search();
        result
    }

    /// Refuses what waits, in place of a drainer that was counted as up and will not come.
    pub(crate) fn refuse_all(&self) {
        let mut is_searching = true;
        loop {
            if let Some(job) = self.find() {
                if self.crew.start(is_searching) == Fetch::One {
                    self.crew.count_out();
                }
                is_searching = false;
                drop(job);
            } else if !is_searching {
                self.crew.search();
                is_searching = true;
            } else if self.crew.go_home() {
                return;
            } else {
                // Whoever was counted in is just about to push.
                thread::yield_now();
            }
        }
    }
}

fn serve(drainer: &mut impl Drainer, fetch: Fetch) {
    if fetch == Fetch::One {
        drainer.fetch();
    }
}

impl Place<'_> {
    /// Takes the place. True if a drainer has to be fetched, which is counted as up already.
    #[must_use]
    pub(crate) fn submit(self, job: Job) -> bool {
        self.line.queue.push(job);
        self.fetch == Fetch::One
    }
}
