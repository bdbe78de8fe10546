//! Runtimes beside a tokio runtime that the program owns.
//!
//! Loom does not start that runtime's threads and cannot give them a context, so they are recognised
//! by the id of their tokio runtime.

use tokio::runtime::{Handle, Id};

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, PoisonError, RwLock, Weak};

use super::shared::Core;

/// How many there are: most programs have none, and need not look.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static RUNTIMES: RwLock<Vec<(Id, Weak<Core>)>> = RwLock::new(Vec::new());

/// From now on compute work of that runtime's tasks goes to `core`; the latest one counts.
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

/// Whether there is any.
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
