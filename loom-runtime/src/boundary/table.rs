//! What a library that can be loaded exports.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use loom_abi::{Header, Plugin, Report, RuntimeHandle, Status, Text};

use crate::panics::drop_ignoring_panic;

use super::{ledger, out, text};

/// What a library does when its host says so. Errors are for people to read.
pub(crate) trait Exported: 'static {
    /// Uses this runtime from now on.
    ///
    /// # Errors
    ///
    /// What kept it from that.
    fn attach(handle: RuntimeHandle<'_>) -> Result<(), String>;

    /// Stops that, and waits for what is in use.
    ///
    /// # Errors
    ///
    /// What is in use still.
    fn detach(limit: Duration) -> Result<(), String>;
}

/// The library as its host sees it.
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
    // SAFETY: X4, there is room.
    unsafe { tell(place, Status::REFUSED, || E::attach(handle)) }
}

unsafe extern "C" fn detach<E: Exported>(nanos: u64, place: *mut Text) -> Status {
    // SAFETY: X4, there is room.
    unsafe { tell(place, Status::IN_USE, || E::detach(Duration::from_nanos(nanos))) }
}

/// # Safety
///
/// X4: there is room for a reason.
unsafe fn tell(place: *mut Text, fault: Status, f: impl FnOnce() -> Result<(), String>) -> Status {
    let (status, reason) = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(())) => return Status::DONE,
        Ok(Err(reason)) => (fault, reason),
        Err(payload) => {
            let reason = message(&*payload);
            drop_ignoring_panic(payload);
            (Status::PANICKED, reason)
        }
    };
    // SAFETY: X4, as by contract.
    unsafe { text::write(place, &reason) };
    status
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

unsafe extern "C" fn report(place: *mut Report, size: usize) {
    // SAFETY: X4, it is a place for this.
    unsafe { out::fill(place, size, &ledger::report()) };
}
