//! Values that cross a dynamic-library boundary: lowered on one side, raised on the other.
//!
//! Owns the conversions between futures, wakers and closures of this library and those of
//! `loom-abi`, for host and guest alike; the rules are in `README.md`, beside this file. It starts
//! no thread, and knows a runtime only as a [`Host`] that the caller passes in.

#![expect(unsafe_code, reason = "functions and data of a library that was built apart")]

mod future;
#[cfg(feature = "plugin")]
mod guest;
#[cfg(feature = "plugin-host")]
mod host;
#[cfg(feature = "plugin-host")]
mod host_table;
mod job;
mod ledger;
#[cfg(feature = "plugin")]
mod lent;
#[cfg(feature = "plugin-host")]
mod library;
mod out;
mod pin;
mod registered;
#[cfg(feature = "plugin")]
mod table;
mod task;
mod text;
mod turn;
mod waker;

#[cfg(all(test, not(loom_model), feature = "plugin", feature = "plugin-host"))]
mod tests;

pub(crate) use future::ForeignFuture;
pub(crate) use ledger::report;
#[cfg(feature = "plugin")]
pub(crate) use {
    guest::HostRef,
    ledger::{Beside, look},
    table::{Exported, exported},
    task::ForeignTask,
};
#[cfg(feature = "plugin-host")]
pub(crate) use {
    host::{Facts, Host},
    host_table::{handle, table},
    job::{ForeignCall, ForeignJob},
    library::{Library, LoadFault},
    registered::ForeignGuest,
};
