//! The jobs that wait for a thread (the queue, in `README.md`).

use std::ptr::{self, NonNull};

use crate::sync::PoisonError;
use crate::sync::modelled::{AtomicPtr, AtomicUsize, Mutex, Ordering};

use super::complete::Job;
use super::slot::{Header, state};

/// How often in a row a list is passed over for one of higher priority (Q3).
const PATIENCE: u32 = 16;
/// So many jobs that were cancelled may stay linked.
const FEW: usize = 64;

type Link = Option<NonNull<Header>>;

/// On a cache line of its own, since lingering drainers read it in a loop.
#[repr(align(64))]
pub(super) struct Jobs {
    /// Newest first.
    inbox: AtomicPtr<Header>,
    /// Jobs that were cancelled and are still linked, about.
    cancelled: AtomicUsize,
    /// Apart from what submitters change.
    lists: Box<Mutex<Lists>>,
}

/// By priority, lowest first.
#[derive(Default)]
struct Lists([List; 3]);

/// Oldest first.
#[derive(Default)]
struct List {
    head: Link,
    tail: Link,
    passed_over: u32,
}

// SAFETY: Q1: the headers in the lists are jobs, which may be sent.
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
            // SAFETY: Q1, it is not in the inbox yet.
            unsafe { set_next(header, NonNull::new(newest)) };
            // Release: with the acquire of `pop` (Q1).
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

    /// Takes in that a job was cancelled, of which so many wait beside it. Now and then lets go
    /// of all that were: their blocks may be large, and the drainers busy for long.
    pub(super) fn has_cancelled(&self, waiting: usize) {
        let cancelled = self.cancelled.fetch_add(1, Ordering::Relaxed) + 1;
        // At least half of all, so that a sweep visits each job about twice.
        if cancelled < FEW || cancelled < waiting {
            return;
        }
        // The thread that holds the lock may be descheduled, and this one must not wait for it.
        // That thread takes jobs out itself, or the next cancelled call sweeps.
        let Ok(mut lists) = self.lists.try_lock() else { return };
        self.collect(&mut lists);
        let swept = lists.0.iter_mut().map(List::sweep).sum();
        drop(lists);
        self.forget(swept);
    }

    /// So many that were cancelled are linked no more.
    pub(super) fn forget(&self, cancelled: usize) {
        let fewer = |now: usize| Some(now.saturating_sub(cancelled));
        // Never an error, since it always has an answer.
        let _ = self.cancelled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }

    /// Moves what was pushed to the lists.
    fn collect(&self, lists: &mut Lists) {
        if !self.inbox.load(Ordering::Relaxed).is_null() {
            // Acquire: with the release of every push (Q1); each continues the one before.
            let newest = self.inbox.swap(ptr::null_mut(), Ordering::Acquire);
            lists.append(NonNull::new(newest));
        }
    }

    /// Takes the next job. Waits for other drainers.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        self.collect(&mut lists);
        let next = lists.next();
        drop(lists);
        // SAFETY: Q1, it was taken off its list, so it is this thread's.
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
    /// Appends what is linked from the newest on.
    fn append(&mut self, mut newest: Link) {
        let mut batch = <[List; 3]>::default();
        while let Some(header) = newest {
            // SAFETY: Q1, it was taken out of the inbox with all the others.
            newest = unsafe { next(header) };
            // SAFETY: Q1, as above: the job is alive, and no other thread owns it.
            let list = &mut batch[unsafe { header.as_ref() }.state.priority()];
            // SAFETY: Q1, as before.
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
            // SAFETY: Q1, what is on a list is the lock holder's.
            Some(tail) => unsafe { set_next(tail, Some(first)) },
            None => self.head = Some(first),
        }
        self.tail = other.tail;
    }

    /// Drops the jobs that were cancelled, and returns how many they were.
    fn sweep(&mut self) -> usize {
        let mut kept = Self { passed_over: self.passed_over, ..Self::default() };
        let mut swept = 0;
        while let Some(first) = self.take_first() {
            // SAFETY: Q1, the job was taken off the list, so this function owns it.
            if unsafe { state(first) }.is_cancelled() {
                swept += 1;
                // SAFETY: Q1, as before; it leaves as it does when it is started.
                drop(unsafe { Job::of(first) });
            } else {
                // SAFETY: Q1, as before.
                unsafe { set_next(first, None) };
                kept.extend(&Self { head: Some(first), tail: Some(first), passed_over: 0 });
            }
        }
        *self = kept;
        swept
    }

    fn take_first(&mut self) -> Link {
        let first = self.head?;
        // SAFETY: Q1, what is on a list is the lock holder's.
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
    // SAFETY: Q1, as before; it is a link until the job starts.
    header.link.with(|link| unsafe { link.cast::<Link>().read() })
}

/// # Safety
///
/// Q1: the job is alive, and the caller owns it.
unsafe fn set_next(header: NonNull<Header>, link: Link) {
    // SAFETY: Q1, by contract.
    let header = unsafe { header.as_ref() };
    header.link.with_mut(|place| {
        // SAFETY: Q1, as before.
        unsafe { place.cast::<Link>().write(link) };
    });
}
