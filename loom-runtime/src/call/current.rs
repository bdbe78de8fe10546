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
    is_settled_by(|core| thread_stats::is_settled(core, index))
}

/// Whether `is_settled` says so of the core that [`current_core`] finds.
#[inline]
pub(super) fn is_settled_by(is_settled: impl Fn(&Core) -> bool) -> bool {
    context::with_current(&is_settled).unwrap_or_else(|| is_settled_outside(is_settled))
}

/// The same outside of any runtime of Loom's. Only a runtime beside a given tokio runtime needs a lock to be
/// found, so where there are any, the call is not settled.
fn is_settled_outside(is_settled: impl Fn(&Core) -> bool) -> bool {
    !beside::any() && process_wide::get().is_some_and(is_settled)
}
