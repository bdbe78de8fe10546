//! The only door to atomics, locks, threads and thread-locals.
//!
//! Every other module of this crate takes them from here, so that one file decides
//! whether a protocol runs on the real thing or under a model checker: what is taken from
//! [`modelled`] is replaced when the crate is tested with `--cfg loom_model`.
//! It owns no protocol itself.

pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError, RwLock, Weak, mpsc,
};
pub(crate) use std::thread;

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
}

/// For protocols that the model checker runs.
pub(crate) mod modelled {
    #[cfg(all(test, loom_model))]
    pub(crate) use loom_model::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };
    #[cfg(not(all(test, loom_model)))]
    pub(crate) use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };
}
