//! Finds the runtime for calls that are made without a handle.

use crate::core::{Core, beside, context, thread_stats};
use crate::scheduler::Site;
use crate::sync::Arc;
use crate::threads::process_wide;

/// The core that runs compute work of this thread.
pub(crate) fn current_core() -> Arc<Core> {
    context::current().unwrap_or_else(process_wide::core)
}

/// Whether a call is settled, by the per-thread statistics of this thread. It takes no count of the
/// core, which all threads would contend for.
#[inline]
pub(crate) fn is_settled(site: &'static Site, class: u8) -> bool {
    let index = site.index(class);
    with_core(|core| thread_stats::is_settled(core, index)).unwrap_or(false)
}

/// What `f` returns for the core that [`current_core`] finds, where that takes no lock.
#[inline]
pub(super) fn with_core<R>(f: impl Fn(&Core) -> R) -> Option<R> {
    context::with_current(&f).or_else(|| with_core_outside(f))
}

/// The same outside of any runtime of Loom's. Only a runtime beside a given tokio runtime needs a lock to be
/// found, so where there are any, there is no result.
fn with_core_outside<R>(f: impl Fn(&Core) -> R) -> Option<R> {
    if beside::any() { None } else { process_wide::get().map(f) }
}
