//! The queue's inbox and lists, which link the jobs that wait for a thread (`README.md`).

use std::mem;
use std::ptr::{self, NonNull};

use crate::sync::PoisonError;
use crate::sync::modelled::{AtomicPtr, AtomicUsize, Mutex, Ordering};

use super::complete::Job;
use super::slot::{Header, state};

/// How often in a row a list may be passed over for one of higher priority (Q3).
const PATIENCE: u32 = 16;
/// A sweep needs at least this many cancelled jobs that are still linked.
const MIN_SWEEP: usize = if cfg!(all(test, loom_model)) { 1 } else { 64 };
/// How many jobs a thread that cancels visits at most.
const STEP: usize = 8;

type Link = Option<NonNull<Header>>;

/// On a cache line of its own, since lingering drainers read it in a loop.
#[repr(align(64))]
pub(super) struct Jobs {
    /// Newest first.
    inbox: AtomicPtr<Header>,
    /// The number, approximately, of cancelled jobs that are still linked.
    cancelled: AtomicUsize,
    /// Boxed, to be on another cache line than the fields that submitters write.
    lists: Box<Mutex<Lists>>,
}

/// One list for each priority, lowest first; and newer jobs that are on their way from the inbox to
/// the lists.
#[derive(Default)]
struct Lists {
    by_priority: [List; 3],
    /// Linked from the newest to the oldest, as in the inbox.
    unsorted: Link,
    /// Those of them that are sorted already, which are the newest.
    sorted: [Chain; 3],
}

/// Jobs of one priority.
#[derive(Default)]
struct List {
    /// The older part, which the current sweep has visited.
    swept: Chain,
    rest: Chain,
    passed_over: u32,
}

/// Linked jobs, oldest first.
#[derive(Default)]
struct Chain {
    head: Link,
    tail: Link,
}

// SAFETY: Q1: the lists own the jobs behind these headers, and a job is `Send`.
unsafe impl Send for Lists {}

impl Jobs {
    pub(super) fn new() -> Self {
        Self {
            inbox: AtomicPtr::new(ptr::null_mut()),
            cancelled: AtomicUsize::new(0),
            lists: Box::new(Mutex::new(Lists::default())),
        }
    }

    /// Appends a job. Never waits.
    pub(super) fn push(&self, job: Job) {
        let header = job.into_header();
        let mut newest = self.inbox.load(Ordering::Relaxed);
        loop {
            // SAFETY: Q1, the job is not in the inbox yet, so the submitter owns it.
            unsafe { set_next(header, NonNull::new(newest)) };
            // Release: pairs with the acquire of `collect` (Q1).
            match self.inbox.compare_exchange_weak(
                newest,
                header.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => newest = now,
            }
        }
    }

    /// Whether the inbox has a job that no drainer has moved to the lists.
    pub(super) fn has_new(&self) -> bool {
        !self.inbox.load(Ordering::Relaxed).is_null()
    }

    /// Counts a job that was cancelled, while `waiting` others wait. Where many are still linked, it
    /// visits some jobs and removes the cancelled ones among them: their blocks may be large, and
    /// the drainers may be busy for long. Returns how many jobs it has visited.
    pub(super) fn has_cancelled(&self, waiting: usize) -> usize {
        let cancelled = self.cancelled.fetch_add(1, Ordering::Relaxed) + 1;
        // At least half of all linked jobs, so that a sweep removes one of two jobs that it visits.
        if cancelled < MIN_SWEEP || cancelled < waiting {
            return 0;
        }
        // The thread that holds the lock may be descheduled, and this thread must not wait for it.
        // The other thread takes jobs out itself, or the next call that is cancelled sweeps.
        let Ok(mut lists) = self.lists.try_lock() else { return 0 };
        if lists.unsorted.is_none() {
            // What is sorted is older than what is in the inbox.
            lists.sort_all();
            lists.unsorted = self.take_inbox();
        }
        #[cfg(all(test, loom_model))]
        crate::sync::explore::reach("sweeps");
        let mut removed = 0;
        let visited = (0..STEP).take_while(|_| lists.visit(&mut removed)).count();
        drop(lists);
        self.forget(removed);
        visited
    }

    #[cfg(all(test, not(loom_model)))]
    pub(super) fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Counts out cancelled jobs that are no longer linked.
    pub(super) fn forget(&self, cancelled: usize) {
        let fewer = |now: usize| Some(now.saturating_sub(cancelled));
        // Never an error, since `fewer` never returns `None`.
        let _ = self.cancelled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }

    fn take_inbox(&self) -> Link {
        if self.inbox.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // Acquire: pairs with the release of every push (Q1), since each push continues the release
        // sequence of the one before.
        NonNull::new(self.inbox.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// Moves the jobs in the inbox to the lists.
    fn collect(&self, lists: &mut Lists) {
        lists.sort_all();
        lists.unsorted = self.take_inbox();
        lists.sort_all();
    }

    /// Takes the next job. May wait for the lock, which other drainers hold for short.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        self.collect(&mut lists);
        let next = lists.next();
        drop(lists);
        // SAFETY: Q1, the job was taken off its list, so this thread owns it.
        next.map(|header| unsafe { Job::of(header) })
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        // No thread is left to run the jobs. Dropping a job completes its call with an error.
        while let Some(job) = self.pop() {
            drop(job);
        }
    }
}

impl Lists {
    /// Moves the newest unsorted job to the front of its chain. False if there is none.
    fn sort_one(&mut self) -> bool {
        let Some(header) = self.unsorted else { return false };
        // SAFETY: Q1, the job was taken out of the inbox with the whole batch.
        self.unsorted = unsafe { next(header) };
        // SAFETY: Q1, as above: the job is alive, and no other thread owns it.
        self.sorted[unsafe { header.as_ref() }.state.priority()].put_first(header);
        true
    }

    fn sort_all(&mut self) {
        while self.sort_one() {}
        for (list, sorted) in self.by_priority.iter_mut().zip(&mut self.sorted) {
            list.rest.append(&mem::take(sorted));
        }
    }

    /// Takes one step of a sweep. False if the sweep has come to its end.
    fn visit(&mut self, removed: &mut usize) -> bool {
        if self.sort_one() {
            return true;
        }
        // Everything is sorted, and this only appends it.
        self.sort_all();
        if let Some(list) = self.by_priority.iter_mut().find(|list| list.rest.head.is_some()) {
            list.visit(removed);
            return true;
        }
        for list in &mut self.by_priority {
            mem::swap(&mut list.rest, &mut list.swept);
        }
        false
    }

    /// Takes the job whose turn it is (Q3).
    fn next(&mut self) -> Link {
        let impatient = |list: &List| list.passed_over >= PATIENCE;
        let waits = |list: &List| !list.is_empty();
        let chosen = match self.by_priority.iter().position(|list| waits(list) && impatient(list)) {
            Some(chosen) => chosen,
            None => self.by_priority.iter().rposition(waits)?,
        };
        for list in self.by_priority.iter_mut().take(chosen).filter(|list| !list.is_empty()) {
            list.passed_over += 1;
        }
        let list = &mut self.by_priority[chosen];
        list.passed_over = 0;
        list.swept.take_first().or_else(|| list.rest.take_first())
    }
}

impl List {
    fn is_empty(&self) -> bool {
        self.swept.head.is_none() && self.rest.head.is_none()
    }

    /// Visits one job, and drops it if it is cancelled.
    fn visit(&mut self, removed: &mut usize) {
        let Some(first) = self.rest.take_first() else { return };
        // SAFETY: Q1, the job was taken off the list, so this function owns it.
        if unsafe { state(first) }.is_cancelled() {
            *removed += 1;
            // SAFETY: Q1, as above; dropping the job leaves the slot, as starting it would.
            drop(unsafe { Job::of(first) });
        } else {
            // SAFETY: Q1, as above.
            unsafe { set_next(first, None) };
            self.swept.append(&Chain { head: Some(first), tail: Some(first) });
        }
    }
}

impl Chain {
    fn put_first(&mut self, header: NonNull<Header>) {
        // SAFETY: Q1, the caller owns the job, and has taken it off its list.
        unsafe { set_next(header, self.head) };
        self.head = Some(header);
        self.tail = self.tail.or(Some(header));
    }

    fn append(&mut self, other: &Self) {
        let Some(first) = other.head else { return };
        match self.tail {
            // SAFETY: Q1, the lock's holder owns the jobs on the lists.
            Some(tail) => unsafe { set_next(tail, Some(first)) },
            None => self.head = Some(first),
        }
        self.tail = other.tail;
    }

    fn take_first(&mut self) -> Link {
        let first = self.head?;
        // SAFETY: Q1, the lock's holder owns the jobs on the lists.
        self.head = unsafe { next(first) };
        if self.head.is_none() {
            self.tail = None;
        }
        Some(first)
    }
}

/// # Safety
///
/// Q1: the job is alive, and the caller owns it.
unsafe fn next(header: NonNull<Header>) -> Link {
    // SAFETY: Q1, by contract.
    let header = unsafe { header.as_ref() };
    // SAFETY: Q1, as above; the field is a link until the job starts.
    header.link.with(|link| unsafe { link.cast::<Link>().read() })
}

/// # Safety
///
/// Q1: the job is alive, and the caller owns it.
unsafe fn set_next(header: NonNull<Header>, link: Link) {
    // SAFETY: Q1, by contract.
    let header = unsafe { header.as_ref() };
    header.link.with_mut(|place| {
        // SAFETY: Q1, as above; the field is a link until the job starts.
        unsafe { place.cast::<Link>().write(link) };
    });
}
