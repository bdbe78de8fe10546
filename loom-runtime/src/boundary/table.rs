//! The table that a loadable library exports.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use loom_abi::{Header, Plugin, Report, RuntimeHandle, Status, Text};

use crate::panics::drop_ignoring_panic;

use super::{ledger, out, text};

/// The functions of a library that its host calls. Errors are texts for people.
pub(crate) trait Exported: 'static {
    /// Uses this runtime from now on.
    ///
    /// # Errors
    ///
    /// The reason why the library does not use the runtime.
    fn attach(handle: RuntimeHandle<'_>) -> Result<(), String>;

    /// Stops the use of the runtime, and waits up to `limit` for what is still in use.
    ///
    /// # Errors
    ///
    /// What is still in use after that.
    fn detach(limit: Duration) -> Result<(), String>;
}

/// The library's description and functions, as its host sees them.
#[must_use]
pub(crate) const fn exported<E: Exported>(name: &'static str) -> Plugin {
    Plugin {
        header: Header::of::<Plugin>(),
        name: text::lower(name),
        attach: attach::<E>,
        detach: detach::<E>,
        report,
    }
}

unsafe extern "C" fn attach<E: Exported>(handle: RuntimeHandle<'_>, place: *mut Text) -> Status {
    // SAFETY: X4, the caller gives a place with room for a reason.
    unsafe { report_fault(place, Status::REFUSED, || E::attach(handle)) }
}

unsafe extern "C" fn detach<E: Exported>(nanos: u64, place: *mut Text) -> Status {
    // SAFETY: X4, the caller gives a place with room for a reason.
    unsafe { report_fault(place, Status::IN_USE, || E::detach(Duration::from_nanos(nanos))) }
}

/// Runs `f`, and writes the reason to `place` where it fails or panics.
///
/// # Safety
///
/// X4: `place` has room for a reason.
unsafe fn report_fault(
    place: *mut Text,
    fault: Status,
    f: impl FnOnce() -> Result<(), String>,
) -> Status {
    let (status, reason) = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(())) => return Status::DONE,
        Ok(Err(reason)) => (fault, reason),
        Err(payload) => {
            let reason = message(&*payload);
            drop_ignoring_panic(payload);
            (Status::PANICKED, reason)
        }
    };
    // SAFETY: X4, by this function's contract.
    unsafe { text::write(place, &reason) };
    status
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

unsafe extern "C" fn report(place: *mut Report, size: usize) {
    // SAFETY: X4, the caller gives a place for `size` bytes of a `Report`.
    unsafe { out::fill(place, size, &ledger::report()) };
}
