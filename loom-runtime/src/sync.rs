//! The only source of atomics, locks and threads for the rest of the crate.
//!
//! All other modules import them from here, so that one file decides whether a protocol runs on
//! std's types or under a model checker: the items of [`modelled`] are replaced when the crate is
//! tested with `--cfg loom_model`. This module owns no protocol itself.

#[cfg(unix)]
pub(crate) use std::sync::Once;
pub(crate) use std::sync::{
    Arc, Barrier, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, TryLockError, Weak,
    mpsc,
};
pub(crate) use std::thread;

/// Parks a thread until a waker of its own is woken.
///
/// Unlike the thread's own token, a wake is not lost if other code parks the thread meanwhile, such
/// as a channel of std's, or a waker or a future of the program.
pub(crate) struct Parker(Arc<Signal>);

struct Signal {
    thread: thread::Thread,
    is_woken: atomic::AtomicBool,
}

impl Parker {
    /// For the calling thread.
    pub(crate) fn new() -> Self {
        let is_woken = atomic::AtomicBool::new(false);
        Self(Arc::new(Signal { thread: thread::current(), is_woken }))
    }

    pub(crate) fn waker(&self) -> std::task::Waker {
        Arc::clone(&self.0).into()
    }

    /// Parks the thread, which has to be the one of [`new`](Self::new).
    pub(crate) fn park(&self) {
        while !self.is_woken() {
            thread::park();
        }
    }

    /// Parks for so long at most.
    pub(crate) fn park_until(&self, time: std::time::Instant) {
        while !self.is_woken() {
            match time.checked_duration_since(std::time::Instant::now()) {
                Some(left) => thread::park_timeout(left),
                None => return,
            }
        }
    }

    fn is_woken(&self) -> bool {
        // Acquire, with the release of `wake`: this thread sees what happened before the wake.
        self.0.is_woken.swap(false, atomic::Ordering::Acquire)
    }
}

impl std::task::Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: with the acquire of `is_woken`.
        self.is_woken.store(true, atomic::Ordering::Release);
        self.thread.unpark();
    }
}

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

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
}

/// The types for protocols that the model checker runs.
pub(crate) mod modelled {
    #[cfg(all(test, loom_model))]
    pub(crate) use loom_model::{
        cell::UnsafeCell,
        sync::{
            Mutex,
            atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
        },
        thread::ThreadId as ThreadNumber,
    };
    #[cfg(not(all(test, loom_model)))]
    pub(crate) use std::sync::{
        Mutex,
        atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    };

    #[cfg(not(all(test, loom_model)))]
    use atomic_waker::AtomicWaker;
    #[cfg(all(test, loom_model))]
    use loom_model::future::AtomicWaker;

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

    /// A cell for the waker of a sleeping driver. Any thread may take the waker out and wake it.
    ///
    /// Storing a waker and taking it out are read-modify-writes of one word, each both a release
    /// and an acquire.
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

        /// Drops the waker, if there is one.
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
