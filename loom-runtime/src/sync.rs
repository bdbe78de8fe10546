//! The only door to atomics, locks, threads and thread-locals.
//!
//! Every other module of this crate takes them from here, so that one file decides
//! whether a protocol runs on the real thing or under a model checker.
//! It owns no protocol itself.

pub(crate) use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
pub(crate) use std::thread;

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}
