//! The only door to atomics, locks, threads and thread-locals.
//!
//! Every other module of this crate takes them from here, so that one file decides
//! whether a protocol runs on the real thing or under a model checker: what is taken from
//! [`modelled`] is replaced when the crate is tested with `--cfg loom_model`.
//! It owns no protocol itself.

#[cfg(feature = "test-util")]
pub(crate) use std::sync::Condvar;
#[cfg(feature = "plugin-host")]
pub(crate) use std::sync::MutexGuard;
pub(crate) use std::sync::{Arc, Barrier, Mutex, Once, OnceLock, PoisonError, RwLock, Weak, mpsc};
pub(crate) use std::thread;

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
}

/// For protocols that the model checker runs.
pub(crate) mod modelled {
    #[cfg(all(test, loom_model))]
    pub(crate) use loom_model::{
        cell::UnsafeCell,
        sync::{
            Mutex,
            atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence},
        },
        thread::ThreadId as ThreadNumber,
    };
    #[cfg(not(all(test, loom_model)))]
    pub(crate) use std::sync::{
        Mutex,
        atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence},
    };

    #[cfg(not(all(test, loom_model)))]
    use atomic_waker::AtomicWaker;
    #[cfg(all(test, loom_model))]
    use loom_model::future::AtomicWaker;

    /// Std's cell with the checker's interface: a pointer for as long as a closure runs, so
    /// that the checker knows when the value is in use.
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

    /// A cell for the waker of one who sleeps, which any thread may take out and wake.
    ///
    /// To put one there and to take it out are read-modify-writes of one word, the first a release
    /// and the second an acquire, and the other way round.
    pub(crate) struct DriverWaker(AtomicWaker);

    impl DriverWaker {
        pub(crate) fn new() -> Self {
            Self(AtomicWaker::new())
        }

        #[cfg(not(all(test, loom_model)))]
        pub(crate) fn register(&self, waker: &std::task::Waker) {
            self.0.register(waker);
        }

        #[cfg(all(test, loom_model))]
        pub(crate) fn register(&self, waker: &std::task::Waker) {
            self.0.register_by_ref(waker);
        }

        pub(crate) fn wake(&self) {
            self.0.wake();
        }

        /// Forgets the waker, if one is there.
        #[cfg(not(all(test, loom_model)))]
        pub(crate) fn clear(&self) {
            drop(self.0.take());
        }

        #[cfg(all(test, loom_model))]
        pub(crate) fn clear(&self) {
            drop(self.0.take_waker());
        }
    }

    impl Default for DriverWaker {
        fn default() -> Self {
            Self::new()
        }
    }

    /// Tells threads apart: nobody else has it, before or after.
    #[cfg(not(all(test, loom_model)))]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct ThreadNumber(u64);

    #[cfg(not(all(test, loom_model)))]
    pub(crate) fn thread_number() -> ThreadNumber {
        use std::cell::Cell;
        use std::sync::atomic::AtomicU64;

        thread_local! {
            // Nothing to drop, so it is there while other thread-locals are dropped.
            static OWN: Cell<u64> = const { Cell::new(0) };
        }
        static NEXT: AtomicU64 = AtomicU64::new(1);

        let own = OWN.get();
        if own != 0 {
            return ThreadNumber(own);
        }
        // Relaxed: a number that nobody else has.
        let own = NEXT.fetch_add(1, Ordering::Relaxed);
        OWN.set(own);
        ThreadNumber(own)
    }

    #[cfg(all(test, loom_model))]
    pub(crate) fn thread_number() -> ThreadNumber {
        loom_model::thread::current().id()
    }
}
