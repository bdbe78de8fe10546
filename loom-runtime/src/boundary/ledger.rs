//! Counts of what this library has made and other libraries hold.

use loom_abi::Report;

use crate::sync::atomic::{AtomicUsize, Ordering};

/// The count of one kind of value.
pub(super) struct Kind(AtomicUsize);

pub(super) static FUTURES: Kind = Kind(AtomicUsize::new(0));
pub(super) static WAKERS: Kind = Kind(AtomicUsize::new(0));
pub(super) static JOBS: Kind = Kind(AtomicUsize::new(0));
/// Threads of other libraries that run a body of this library. They are not in the report, since
/// they run for as long as this library is attached.
#[cfg(feature = "plugin")]
pub(super) static BODIES: Kind = Kind(AtomicUsize::new(0));
pub(super) static TASKS: Kind = Kind(AtomicUsize::new(0));

/// One counted value, while it lives.
#[derive(Debug)]
pub(super) struct Entry(&'static AtomicUsize);

impl Kind {
    pub(super) fn enter(&'static self) -> Entry {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entry(&self.0)
    }

    fn count(&self) -> usize {
        // Acquire: pairs with the release of `drop`, so that a caller that reads zero also sees
        // the end of every value.
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Release: pairs with the acquire of `count`.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// How many threads of other libraries run this library's bodies.
#[cfg(feature = "plugin")]
pub(crate) fn bodies() -> usize {
    BODIES.count()
}

/// The current counts.
pub(crate) fn report() -> Report {
    Report {
        futures: FUTURES.count(),
        wakers: WAKERS.count(),
        jobs: JOBS.count(),
        tasks: TASKS.count(),
    }
}
