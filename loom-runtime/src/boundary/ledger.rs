//! What this library has made and others hold.

use loom_abi::Report;

use crate::sync::atomic::{AtomicUsize, Ordering};

/// One kind of thing.
pub(super) struct Kind(AtomicUsize);

pub(super) static FUTURES: Kind = Kind(AtomicUsize::new(0));
pub(super) static WAKERS: Kind = Kind(AtomicUsize::new(0));
pub(super) static JOBS: Kind = Kind(AtomicUsize::new(0));
/// Threads of others that run a body of this library's: these are not in the report, since they
/// stay for as long as it is attached.
#[cfg(feature = "plugin")]
pub(super) static BODIES: Kind = Kind(AtomicUsize::new(0));
pub(super) static TASKS: Kind = Kind(AtomicUsize::new(0));

/// One such thing, while it lives.
#[derive(Debug)]
pub(super) struct Entry(&'static AtomicUsize);

impl Kind {
    pub(super) fn enter(&'static self) -> Entry {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entry(&self.0)
    }

    fn count(&self) -> usize {
        // Acquire: with the release of `drop`, so that who sees nothing left sees its end, too.
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Release: with the acquire of `count`.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// How many threads of others run this library's bodies.
#[cfg(feature = "plugin")]
pub(crate) fn bodies() -> usize {
    BODIES.count()
}

/// What there is now.
pub(crate) fn report() -> Report {
    Report {
        futures: FUTURES.count(),
        wakers: WAKERS.count(),
        jobs: JOBS.count(),
        tasks: TASKS.count(),
    }
}
