//! The only door to atomics, locks, threads and thread-locals.
//!
//! Every other module of this crate takes them from here, so that one file decides
//! whether a protocol runs on the real thing or under a model checker: what is taken from
//! [`modelled`] is replaced when the crate is tested with `--cfg loom_model`.
//! It owns no protocol itself.

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
            atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering},
        },
    };
    #[cfg(not(all(test, loom_model)))]
    pub(crate) use std::sync::{
        Mutex,
        atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering},
    };

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
}
