//! Which runtime's calls the current thread runs, if it is a compute thread.

use std::cell::Cell;

thread_local! {
    /// The id of the core.
    static CORE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Makes the calling thread a compute thread of the core with this id until the thread ends.
pub(super) fn begin(core: u64) {
    CORE.set(Some(core));
}

/// Whether the calling thread is a compute thread of the core with this id: of its pools, or a spare.
pub(super) fn is_of(core: u64) -> bool {
    CORE.get() == Some(core)
}

/// Whether the calling thread is a compute thread of any runtime.
#[cfg(feature = "plugin-host")]
pub(crate) fn is_here() -> bool {
    CORE.get().is_some()
}
