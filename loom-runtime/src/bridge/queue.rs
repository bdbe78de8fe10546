//! The jobs that wait for a thread (the line, in `README.md`).

use std::ptr::{self, NonNull};

use crate::sync::PoisonError;
use crate::sync::modelled::{AtomicPtr, Mutex, Ordering};

use super::complete::Job;
use super::slot::Header;

/// How often in a row a list is passed over for one of higher priority (Q3).
const PATIENCE: u32 = 16;

type Link = Option<NonNull<Header>>;

/// On a cache line of its own, since drainers that linger look at it all the time.
#[repr(align(64))]
pub(super) struct Queue {
    /// Newest first.
    inbox: AtomicPtr<Header>,
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

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            inbox: AtomicPtr::new(ptr::null_mut()),
            lists: Box::new(Mutex::new(Lists::default())),
        }
    }

    /// Appends a job. Waits for nobody.
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

    /// Whether a job was pushed that nobody has taken over.
    pub(super) fn has_new(&self) -> bool {
        !self.inbox.load(Ordering::Relaxed).is_null()
    }

    /// Takes the next job. Waits for other drainers.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.inbox.load(Ordering::Relaxed).is_null() {
            // Acquire: with the release of every push (Q1); each continues the one before.
            let newest = self.inbox.swap(ptr::null_mut(), Ordering::Acquire);
            lists.append(NonNull::new(newest));
        }
        let next = lists.next();
        drop(lists);
        // SAFETY: Q1, it was taken off its list, so it is ours.
        next.map(|header| unsafe { Job::of(header) })
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Nobody is left to run them: their callers are told.
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
            // SAFETY: Q1, as before: it is there, and nobody else's.
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
/// Q1: the job is there, and the caller's.
unsafe fn next(header: NonNull<Header>) -> Link {
    // SAFETY: Q1, by contract.
    let header = unsafe { header.as_ref() };
    // SAFETY: Q1, as before; it is a link until the job starts.
    header.link.with(|link| unsafe { link.cast::<Link>().read() })
}

/// # Safety
///
/// Q1: the job is there, and the caller's.
unsafe fn set_next(header: NonNull<Header>, link: Link) {
    // SAFETY: Q1, by contract.
    let header = unsafe { header.as_ref() };
    header.link.with_mut(|place| {
        // SAFETY: Q1, as before.
        unsafe { place.cast::<Link>().write(link) };
    });
}
