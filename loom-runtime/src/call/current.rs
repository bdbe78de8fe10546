//! The runtime that calls without a handle go to.

use crate::core::{Core, beside, context, thread_stats};
use crate::scheduler::Site;
use crate::sync::Arc;
use crate::threads::process_wide;

/// The core that compute work of this thread goes to.
pub(crate) fn current_core() -> Arc<Core> {
    context::current().unwrap_or_else(process_wide::core)
}

/// Whether a call runs here and now, by what this thread has at hand of its runtime: without a
/// count of the core, which all threads would have to share.
#[inline]
pub(crate) fn is_settled(site: &'static Site, class: u8) -> bool {
    let index = site.index(class);
    context::with_current(|core| thread_stats::is_settled(core, index)).unwrap_or_else(|| {
        // As `current_core` would find it, but for guests, which are found by a lock.
        !beside::any()
            && process_wide::get().is_some_and(|core| thread_stats::is_settled(core, index))
    })
}
