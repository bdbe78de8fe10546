//! The runtime that this library is attached to, for code that has no handle.
//!
//! The threads are the host's, and have no context of this library's; so there is one for all
//! of them.

use std::any::Any;
use std::cell::RefCell;

use crate::boundary::HostRef;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, PoisonError};

use super::shared::Core;

/// The first that was attached of those that still are.
struct Current {
    core: Arc<Core>,
    /// The runtime's handle, kept until its host has ended. `None` from then on: the entry remains so
    /// that calls are refused with that reason.
    handle: Option<Handle>,
}

/// A runtime as its users hold it, which a room above knows.
pub(crate) type Handle = Arc<dyn Any + Send + Sync>;

static CURRENT: Mutex<Vec<Current>> = Mutex::new(Vec::new());
/// Grows with each change of the above; 0 before the first.
static CHANGES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What a thread found last, and after how many changes.
    static FOUND: RefCell<(u64, Option<Arc<Core>>)> = const { RefCell::new((0, None)) };
}

fn change<R>(f: impl FnOnce(&mut Vec<Current>) -> R) -> R {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let result = f(&mut current);
    // Release: with the acquire in `with`; the lock orders the rest.
    CHANGES.fetch_add(1, Ordering::Release);
    result
}

/// Code without a handle uses this one, unless there is one already.
pub(crate) fn add(core: &Arc<Core>, handle: Handle) {
    change(|current| {
        current.push(Current { core: Arc::clone(core), handle: Some(handle) });
    });
}

/// The host of this one has ended; gives back what that had here.
pub(crate) fn leave(core: &Core) -> Option<Handle> {
    change(|current| {
        let left = current.iter_mut().find(|one| std::ptr::eq(&raw const *one.core, core))?;
        left.handle.take()
    })
}

/// This one is attached no more.
pub(crate) fn remove(core: &Core) -> Option<Handle> {
    change(|current| {
        let at = current.iter().position(|one| std::ptr::eq(&raw const *one.core, core))?;
        current.remove(at).handle
    })
}

/// All that are attached.
pub(crate) fn all() -> Vec<Arc<Core>> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    current.iter().map(|one| Arc::clone(&one.core)).collect()
}

/// Looks at the core that code without a handle uses. `f` must not call foreign code.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    // Acquire: with the release of `change`.
    let changes = CHANGES.load(Ordering::Acquire);
    if changes == 0 {
        return None;
    }
    let found = |found: &RefCell<(u64, Option<Arc<Core>>)>| {
        if found.borrow().0 != changes {
            let new = find();
            // Dropped outside of the borrow.
            drop(found.replace((changes, new)));
        }
        found.borrow().1.as_deref().map(f)
    };
    // A thread that is being torn down has no place for it.
    FOUND.try_with(found).ok().flatten()
}

fn find() -> Option<Arc<Core>> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    // A runtime whose host runs comes before one that can only refuse.
    let live = current.iter().find(|one| one.handle.is_some());
    live.or_else(|| current.first()).map(|one| Arc::clone(&one.core))
}

/// The same, counted.
pub(crate) fn current() -> Option<Arc<Core>> {
    if CHANGES.load(Ordering::Acquire) == 0 { None } else { find() }
}

/// The host of it.
pub(crate) fn host() -> Option<Arc<HostRef>> {
    current()?.owner.host().cloned()
}

/// The runtime itself, where its host has not ended.
pub(crate) fn handle() -> Option<Handle> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    current.iter().find_map(|one| one.handle.clone())
}
