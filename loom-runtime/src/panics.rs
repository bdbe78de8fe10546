//! Code of the user's that has nobody to report a panic to.
//!
//! It owns no policy of its own: whoever calls it has decided that to go on matters more.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a value whose `Drop` may panic, on a thread that has to go on.
pub(crate) fn drop_ignoring_panic<T>(value: T) {
    ignore_panic(|| drop(value));
}

/// Runs it, and drops what it throws.
pub(crate) fn ignore_panic(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // The payload's own drop may panic as well. What that throws is leaked: one value of
        // a program whose destructors panic, against a thread that everyone depends on.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}
