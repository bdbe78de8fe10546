//! Runtimes beside a tokio runtime that the program owns.
//!
//! Loom does not start the threads of that tokio runtime, and cannot give them a context. So a
//! thread's Loom runtime is found by the id of its tokio runtime.

use tokio::runtime::{Handle, Id};

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, PoisonError, RwLock, Weak};

use super::shared::Core;

/// How many there are. Most programs have none, and then the list is not read.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static RUNTIMES: RwLock<Vec<(Id, Weak<Core>)>> = RwLock::new(Vec::new());

/// From now on, compute work of the tasks of `host` goes to `core`. The core that was registered
/// last for a tokio runtime is used.
pub(crate) fn register(host: &Handle, core: &Arc<Core>) {
    let mut runtimes = RUNTIMES.write().unwrap_or_else(PoisonError::into_inner);
    runtimes.push((host.id(), Arc::downgrade(core)));
    COUNT.store(runtimes.len(), Ordering::Relaxed);
}

pub(crate) fn unregister(core: &Arc<Core>) {
    let mut runtimes = RUNTIMES.write().unwrap_or_else(PoisonError::into_inner);
    runtimes.retain(|(_, runtime)| !std::ptr::eq(runtime.as_ptr(), Arc::as_ptr(core)));
    COUNT.store(runtimes.len(), Ordering::Relaxed);
}

/// Whether there is a runtime beside any tokio runtime.
pub(crate) fn any() -> bool {
    COUNT.load(Ordering::Relaxed) > 0
}

/// The core beside the current thread's tokio runtime.
pub(crate) fn current() -> Option<Arc<Core>> {
    if !any() {
        return None;
    }
    let host = Handle::try_current().ok()?.id();
    let runtimes = RUNTIMES.read().unwrap_or_else(PoisonError::into_inner);
    runtimes.iter().rev().find(|(id, _)| *id == host)?.1.upgrade()
}
