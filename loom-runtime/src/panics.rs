//! Running user code whose panic cannot be reported to a caller.
//!
//! It owns no policy: its callers have decided that going on matters more than the panic.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a value whose `Drop` may panic, on a thread that has to go on.
pub(crate) fn drop_ignoring_panic<T>(value: T) {
    ignore_panic(|| drop(value));
}

/// Runs `f`, and drops the payload of its panic.
pub(crate) fn ignore_panic(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // The payload's own drop may panic as well. The second payload is leaked: one value of a
        // program whose destructors panic, against a thread that every call depends on.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}
