//! The runtime that this library is attached to, for code that has no handle.
//!
//! The threads are the host's, and have no context of this library's; so there is one for all
//! of them.

use std::cell::RefCell;
use std::io;

use loom_abi::{Seat, Status};

use crate::boundary::HostRef;
use crate::error::LoomError;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, PoisonError};

use crate::runtime::core::Core;
use crate::runtime::handle::Inner;

/// The first that was attached of those that still are.
struct Current {
    core: Arc<Core>,
    /// Nothing once its host has ended: then it is there to say so.
    inner: Option<Arc<Inner>>,
}

/// The number of the keeper among the threads that the host starts for I/O.
const KEEPER: usize = 99;

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
pub(super) fn add(inner: Arc<Inner>) {
    change(|current| {
        current.push(Current { core: Arc::clone(&inner.core), inner: Some(inner) });
    });
}

/// The host of this one has ended; gives back what that had here.
pub(super) fn leave(core: &Core) -> Option<Arc<Inner>> {
    change(|current| {
        let left = current.iter_mut().find(|one| std::ptr::eq(&raw const *one.core, core))?;
        left.inner.take()
    })
}

/// This one is attached no more.
pub(super) fn remove(core: &Core) -> Option<Arc<Inner>> {
    change(|current| {
        let at = current.iter().position(|one| std::ptr::eq(&raw const *one.core, core))?;
        current.remove(at).inner
    })
}

/// All that are attached.
pub(super) fn all() -> Vec<Arc<Core>> {
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
    // One whose host is there comes before one that can only say that it is not.
    let live = current.iter().find(|one| one.inner.is_some());
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

/// Has the host start this library's keeper, if there is a host; gives the body back otherwise.
pub(crate) fn start_keeper<F>(body: F) -> Result<io::Result<()>, F>
where
    F: FnOnce() + Send + 'static,
{
    let Some(host) = host() else { return Err(body) };
    Ok(match host.start_thread(Seat::IO, KEEPER, body) {
        Status::DONE => Ok(()),
        refused => Err(io::Error::other(LoomError::Host(refused.0))),
    })
}

/// The runtime itself, where its host has not ended.
pub(super) fn inner() -> Option<Arc<Inner>> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    current.iter().find_map(|one| one.inner.clone())
}
