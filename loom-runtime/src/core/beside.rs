//! Runtimes beside a tokio runtime that somebody else owns.
//!
//! Its threads are not ours to give a context, so they are known by their runtime.

use tokio::runtime::{Handle, Id};

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, PoisonError, RwLock, Weak};

use super::shared::Core;

/// How many there are: most programs have none, and need not look.
static HOW_MANY: AtomicUsize = AtomicUsize::new(0);
static GUESTS: RwLock<Vec<(Id, Weak<Core>)>> = RwLock::new(Vec::new());

/// From now on compute work of that runtime's tasks goes to `core`; the latest one counts.
pub(crate) fn join(host: &Handle, core: &Arc<Core>) {
    let mut guests = GUESTS.write().unwrap_or_else(PoisonError::into_inner);
    guests.push((host.id(), Arc::downgrade(core)));
    HOW_MANY.store(guests.len(), Ordering::Relaxed);
}

pub(crate) fn leave(core: &Arc<Core>) {
    let mut guests = GUESTS.write().unwrap_or_else(PoisonError::into_inner);
    guests.retain(|(_, guest)| !std::ptr::eq(guest.as_ptr(), Arc::as_ptr(core)));
    HOW_MANY.store(guests.len(), Ordering::Relaxed);
}

/// Whether there is any.
pub(crate) fn are_there() -> bool {
    HOW_MANY.load(Ordering::Relaxed) > 0
}

/// The core beside the current thread's tokio runtime.
pub(crate) fn current() -> Option<Arc<Core>> {
    if !are_there() {
        return None;
    }
    let host = Handle::try_current().ok()?.id();
    let guests = GUESTS.read().unwrap_or_else(PoisonError::into_inner);
    guests.iter().rev().find(|(id, _)| *id == host)?.1.upgrade()
}
