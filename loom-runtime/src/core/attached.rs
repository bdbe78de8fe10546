//! The runtime that this library is attached to, for code that has no handle.
//!
//! Such code runs on the host's threads, which have no context of this library. So one context
//! serves all of them.

use std::any::Any;
use std::cell::RefCell;

use crate::boundary::HostRef;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, PoisonError, Weak};

use super::shared::Core;

/// A runtime that is attached.
struct Current {
    core: Arc<Core>,
    /// The runtime's handle, kept until its host has ended. `None` from then on: the entry remains
    /// so that calls are refused with that reason.
    handle: Option<Handle>,
}

/// The handle that users hold; a higher module knows its type.
pub(crate) type Handle = Arc<dyn Any + Send + Sync>;

/// In the order in which they were attached.
static CURRENT: Mutex<Vec<Current>> = Mutex::new(Vec::new());
/// How often `CURRENT` has changed.
static CHANGES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What a thread found last, and the number of changes at that time. Weak, since the core has a
    /// count of its host, and the thread may live for long after the core was detached.
    static FOUND: RefCell<(u64, Weak<Core>)> = const { RefCell::new((0, Weak::new())) };
}

fn change<R>(f: impl FnOnce(&mut Vec<Current>) -> R) -> R {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let result = f(&mut current);
    // Relaxed: a thread that reads this number takes the lock after this thread, since it would
    // otherwise have read a number that was written later.
    CHANGES.fetch_add(1, Ordering::Relaxed);
    result
}

/// Attaches `core`: code without a handle uses it, unless an earlier one is attached.
pub(crate) fn add(core: &Arc<Core>, handle: Handle) {
    change(|current| {
        current.push(Current { core: Arc::clone(core), handle: Some(handle) });
    });
}

/// The host of `core` has ended: returns the handle that was kept for it.
pub(crate) fn leave(core: &Core) -> Option<Handle> {
    change(|current| {
        let left = current.iter_mut().find(|one| std::ptr::eq(&raw const *one.core, core))?;
        left.handle.take()
    })
}

/// `core` is no longer attached: returns its handle, if that is still kept.
pub(crate) fn remove(core: &Core) -> Option<Handle> {
    change(|current| {
        let at = current.iter().position(|one| std::ptr::eq(&raw const *one.core, core))?;
        current.remove(at).handle
    })
}

/// The cores of all runtimes that are attached.
pub(crate) fn all() -> Vec<Arc<Core>> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    current.iter().map(|one| Arc::clone(&one.core)).collect()
}

/// Calls `f` with the core that code without a handle uses, without a lock.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    let changes = CHANGES.load(Ordering::Relaxed);
    if changes == 0 {
        return None;
    }
    let found = |found: &RefCell<(u64, Weak<Core>)>| {
        if found.borrow().0 != changes {
            let new = find().as_ref().map(Arc::downgrade).unwrap_or_default();
            found.replace((changes, new));
        }
        found.borrow().1.upgrade()
    };
    // A thread that is being torn down has no thread-local left.
    let core = FOUND.try_with(found).ok().flatten()?;
    Some(f(&core))
}

fn find() -> Option<Arc<Core>> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    // A runtime whose host still runs is preferred to one that can only refuse.
    let live = current.iter().find(|one| one.handle.is_some());
    live.or_else(|| current.first()).map(|one| Arc::clone(&one.core))
}

/// The core that code without a handle uses, as a counted reference.
pub(crate) fn current() -> Option<Arc<Core>> {
    if CHANGES.load(Ordering::Relaxed) == 0 { None } else { find() }
}

/// The host of that core.
pub(crate) fn host() -> Option<Arc<HostRef>> {
    current()?.owner.host().cloned()
}

/// The handle of the first attached runtime whose host has not ended.
pub(crate) fn handle() -> Option<Handle> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    current.iter().find_map(|one| one.handle.clone())
}
