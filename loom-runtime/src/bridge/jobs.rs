//! The queue's inbox and lists, which link the jobs that wait for a thread (`README.md`).

use std::ptr::{self, NonNull};

use crate::sync::PoisonError;
use crate::sync::modelled::{AtomicPtr, AtomicUsize, Mutex, Ordering};

use super::complete::Job;
use super::slot::{Header, state};

/// How often in a row a list may be passed over for one of higher priority (Q3).
const PATIENCE: u32 = 16;
/// A sweep needs at least this many cancelled jobs that are still linked.
const MIN_SWEEP: usize = 64;

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

/// One list for each priority, lowest first.
#[derive(Default)]
struct Lists([List; 3]);

/// Oldest first.
#[derive(Default)]
struct List {
    head: Link,
    tail: Link,
    passed_over: u32,
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

    /// Counts a job that was cancelled, while `waiting` others wait. Now and then it removes all
    /// cancelled jobs: their blocks may be large, and the drainers may be busy for long.
    pub(super) fn has_cancelled(&self, waiting: usize) {
        let cancelled = self.cancelled.fetch_add(1, Ordering::Relaxed) + 1;
        // At least half of all linked jobs, so that sweeps visit each job about twice.
        if cancelled < MIN_SWEEP || cancelled < waiting {
            return;
        }
        // The thread that holds the lock may be descheduled, and this thread must not wait for it.
        // The other thread takes jobs out itself, or the next call that is cancelled sweeps.
        let Ok(mut lists) = self.lists.try_lock() else { return };
        self.collect(&mut lists);
        let swept = lists.0.iter_mut().map(List::sweep).sum();
        drop(lists);
        self.forget(swept);
    }

    /// Counts out cancelled jobs that are no longer linked.
    pub(super) fn forget(&self, cancelled: usize) {
        let fewer = |now: usize| Some(now.saturating_sub(cancelled));
        // Never an error, since `fewer` never returns `None`.
        let _ = self.cancelled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }

    /// Moves the jobs in the inbox to the lists.
    fn collect(&self, lists: &mut Lists) {
        if !self.inbox.load(Ordering::Relaxed).is_null() {
            // Acquire: pairs with the release of every push (Q1), since each push continues the
            // release sequence of the one before.
            let newest = self.inbox.swap(ptr::null_mut(), Ordering::Acquire);
            lists.append(NonNull::new(newest));
        }
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
    /// Appends a batch that is linked from its newest job to its oldest.
    fn append(&mut self, mut newest: Link) {
        let mut batch = <[List; 3]>::default();
        while let Some(header) = newest {
            // SAFETY: Q1, the job was taken out of the inbox with the whole batch.
            newest = unsafe { next(header) };
            // SAFETY: Q1, as above: the job is alive, and no other thread owns it.
            let list = &mut batch[unsafe { header.as_ref() }.state.priority()];
            // SAFETY: Q1, as above.
            unsafe { set_next(header, list.head) };
            list.head = Some(header);
            list.tail = list.tail.or(Some(header));
        }
        for (list, batch) in self.0.iter_mut().zip(batch) {
            list.extend(&batch);
        }
    }

    /// Takes the job whose turn it is (Q3).
    fn next(&mut self) -> Link {
        let impatient = |list: &List| list.passed_over >= PATIENCE;
        let waits = |list: &List| list.head.is_some();
        let chosen = match self.0.iter().position(|list| waits(list) && impatient(list)) {
            Some(chosen) => chosen,
            None => self.0.iter().rposition(waits)?,
        };
        for list in self.0.iter_mut().take(chosen).filter(|list| list.head.is_some()) {
            list.passed_over += 1;
        }
        let list = &mut self.0[chosen];
        list.passed_over = 0;
        list.take_first()
    }
}

impl List {
    fn extend(&mut self, other: &Self) {
        let Some(first) = other.head else { return };
        match self.tail {
            // SAFETY: Q1, the lock's holder owns the jobs on the lists.
            Some(tail) => unsafe { set_next(tail, Some(first)) },
            None => self.head = Some(first),
        }
        self.tail = other.tail;
    }

    /// Drops the cancelled jobs, and returns how many there were.
    fn sweep(&mut self) -> usize {
        let mut kept = Self { passed_over: self.passed_over, ..Self::default() };
        let mut swept = 0;
        while let Some(first) = self.take_first() {
            // SAFETY: Q1, the job was taken off the list, so this function owns it.
            if unsafe { state(first) }.is_cancelled() {
                swept += 1;
                // SAFETY: Q1, as above; dropping the job leaves the slot, as starting it would.
                drop(unsafe { Job::of(first) });
            } else {
                // SAFETY: Q1, as above.
                unsafe { set_next(first, None) };
                kept.extend(&Self { head: Some(first), tail: Some(first), passed_over: 0 });
            }
        }
        *self = kept;
        swept
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
