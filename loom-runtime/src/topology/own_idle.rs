//! Which threads of the idle class are Loom's own.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::sync::{Mutex, PoisonError};

static OWN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Takes the thread out of the set when the thread ends: the system gives its id to another one.
struct Registered(u32);

impl Drop for Registered {
    fn drop(&mut self) {
        OWN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

thread_local! {
    static REGISTERED: RefCell<Option<Registered>> = const { RefCell::new(None) };
}

/// Notes that Loom gives the calling thread the idle class.
pub(super) fn register(thread: Option<u32>) {
    if let Some(thread) = thread {
        OWN.lock().unwrap_or_else(PoisonError::into_inner).insert(thread);
        REGISTERED.set(Some(Registered(thread)));
    }
}

/// Calls `f` with the ids of Loom's own threads of the idle class. Meanwhile none of them starts or
/// ends.
pub(crate) fn with_own_idle_threads<R>(f: impl FnOnce(&BTreeSet<u32>) -> R) -> R {
    f(&OWN.lock().unwrap_or_else(PoisonError::into_inner))
}
