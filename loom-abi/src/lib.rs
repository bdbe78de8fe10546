//! The types that cross a dynamic-library boundary between a Loom runtime and its plug-ins.
//!
//! Two sides that were built apart share no Rust type: not the layout of a future, a waker or a
//! boxed panic, nor an allocator, nor a thread-local. This crate has the types that they share;
//! each is `#[repr(C)]`, and each function is `extern "C"`. The *host* has the runtime, and a
//! *guest* uses it; either may be in any library.
//!
//! This crate is a layout, and its only code is [`Header::check`]. `loom-runtime` has both sides
//! behind a safe interface. A side that is written by hand keeps to these rules:
//!
//! - No call unwinds. A function that runs code that may panic catches the panic, and returns
//!   [`Status::PANICKED`].
//! - The side that made a value frees it: each value has a function for that, which the other side
//!   calls.
//! - The maker of a counted value counts it, through `retain` and `release`.
//! - A pointer to a [`Waker`] in a [`Context`] is lent for the call; `retain` makes it last.
//! - All functions may be called on any thread, unless their documentation says otherwise.
//!
//! # Versions
//!
//! A structure that may grow begins with a [`Header`] and grows at its end, with a new minor
//! number. Any other change is a new major number, and the other side refuses it. See
//! [`Header::check`].

#![no_std]

mod future;
mod header;
mod plugin;
mod table;

pub use future::{Call, Context, Future, Job, Poll, Task, Waker, WakerTable};
pub use header::{Header, Lack, MAGIC, MAJOR, MINOR};
pub use plugin::{Bytes, Guest, PLUGIN_SYMBOL, Plugin, Report, Text};
pub use table::{Facts, Place, Pressure, Runtime, RuntimeHandle, Status, Table, ThreadKind, Work};
