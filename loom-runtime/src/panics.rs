//! Runs user code whose panic cannot be reported to a caller.
//!
//! Owns no policy: the callers decide that their thread has to go on in spite of a panic.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a value whose `Drop` may panic, on a thread that has to go on.
pub(crate) fn drop_ignoring_panic<T>(value: T) {
    ignore_panic(|| drop(value));
}

/// Runs `f`, and drops the payload of its panic.
pub(crate) fn ignore_panic(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // The drop of the payload may panic, too. The second payload is leaked: leaking one value
        // of a program whose destructors panic is better than losing a thread that all calls need.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}

/// Which threads may run code of the user: closures, destructors and wakers.
pub(crate) mod user_code {
    use std::cell::Cell;

    thread_local! {
        static IS_REFUSED: Cell<bool> = const { Cell::new(false) };
    }

    /// The calling thread runs none from now on, since every other thread may wait for it.
    pub(crate) fn refuse() {
        IS_REFUSED.set(true);
    }

    pub(crate) fn is_refused() -> bool {
        IS_REFUSED.get()
    }

    /// Called where code of the user may run.
    #[inline]
    pub(crate) fn runs_here() {
        debug_assert!(!is_refused(), "this thread runs no code of the user");
    }
}
