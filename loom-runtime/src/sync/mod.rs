//! The only source of atomics, locks and threads for the rest of the crate.
//!
//! All other modules import them from here, so that one file decides whether a protocol runs on
//! std's types or under a model checker: the items of [`modelled`] are replaced when the crate is
//! tested with `--cfg loom_model`. The small protocols that several modules need are here, too.

mod driver_waker;
#[cfg(all(test, loom_model))]
pub(crate) mod explore;
mod flag;
mod parker;

#[cfg(unix)]
pub(crate) use std::sync::Once;
pub(crate) use std::sync::{
    Arc, Barrier, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, TryLockError, Weak,
    mpsc,
};
pub(crate) use std::thread;

pub(crate) use driver_waker::DriverWaker;
pub(crate) use flag::Flag;
#[cfg(feature = "plugin")]
pub(crate) use flag::Tally;
#[cfg(any(feature = "plugin", feature = "plugin-host"))]
pub(crate) use flag::Total;
pub(crate) use parker::Parker;

/// A waker that unparks the calling thread. For a thread that checks a condition after each park.
pub(crate) fn unpark_waker() -> std::task::Waker {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.unpark();
        }
    }
    Arc::new(Unpark(thread::current())).into()
}

/// How often a test repeats what is repeated `full` times where no interpreter runs it: Miri takes
/// about a thousand times as long for a step.
#[cfg(test)]
pub(crate) const fn rounds(full: usize) -> usize {
    if cfg!(miri) { full.div_ceil(100) } else { full }
}

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
}

/// The types for protocols that the model checker runs.
pub(crate) mod modelled {

    #[cfg(all(test, loom_model))]
    pub(crate) use super::explore::{
        AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    #[cfg(all(test, loom_model))]
    pub(crate) use loom_model::{
        cell::UnsafeCell,
        sync::{Mutex, MutexGuard},
        thread::ThreadId as ThreadNumber,
    };
    #[cfg(all(test, loom_shuttle))]
    pub(crate) use shuttle::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    };
    #[cfg(not(all(test, any(loom_model, loom_shuttle))))]
    pub(crate) use std::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    };

    #[cfg(all(test, loom_model))]
    pub(crate) use loom_model::thread::yield_now;
    #[cfg(all(test, loom_shuttle))]
    pub(crate) use shuttle::thread::yield_now;
    #[cfg(not(all(test, any(loom_model, loom_shuttle))))]
    pub(crate) use std::thread::yield_now;

    /// Std's cell with the checker's interface: it lends a pointer while a closure runs, so that
    /// the checker knows when the value is in use.
    #[cfg(not(all(test, loom_model)))]
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    #[cfg(not(all(test, loom_model)))]
    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    /// Identifies a thread: no other thread of the process ever has the same number.
    #[cfg(not(all(test, loom_model)))]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct ThreadNumber(u64);

    #[cfg(not(all(test, loom_model)))]
    pub(crate) fn thread_number() -> ThreadNumber {
        use std::cell::Cell;
        use std::sync::atomic::AtomicU64;

        thread_local! {
            // A `Cell<u64>` has no destructor, so it can be read while other thread-locals are
            // dropped.
            static OWN: Cell<u64> = const { Cell::new(0) };
        }
        static NEXT: AtomicU64 = AtomicU64::new(1);

        let own = OWN.get();
        if own != 0 {
            return ThreadNumber(own);
        }
        // Relaxed: the numbers only have to be unique.
        let own = NEXT.fetch_add(1, Ordering::Relaxed);
        OWN.set(own);
        ThreadNumber(own)
    }

    #[cfg(all(test, loom_model))]
    pub(crate) fn thread_number() -> ThreadNumber {
        loom_model::thread::current().id()
    }
}
