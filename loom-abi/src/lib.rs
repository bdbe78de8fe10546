//! What crosses a dynamic-library boundary between a Loom runtime and its plug-ins.
//!
//! Two sides that were built apart share no type of Rust's: not the layout of a future, a waker
//! or a boxed panic, nor an allocator, nor a thread-local. What they share is here, and every
//! part of it is `#[repr(C)]` and speaks `extern "C"`. The *host* has the runtime, and a *guest*
//! uses it; either may be in any library.
//!
//! This crate is a layout, and has no code but [`Header::check`]. `loom-runtime` has both sides,
//! safe to use; whoever writes one by hand keeps to these rules:
//!
//! - No call unwinds. Whoever runs code that may panic catches it, and says [`Status::PANICKED`].
//! - Whoever made a thing frees it: each has a function for that, which the other side calls.
//! - What is counted is counted by its maker, through `retain` and `release`.
//! - Pointers to [`Waker`] in a [`Context`] are lent for the call; a `retain` makes them last.
//! - All functions may be called on any thread, unless they say otherwise.
//!
//! # Versions
//!
//! What may grow begins with a [`Header`] and grows at its end, with a new minor number; anything
//! else is a new major number, and refused by the other side. See [`Header::check`].

#![no_std]

mod future;
mod header;
mod plugin;
mod table;

pub use future::{Call, Context, Future, Job, Poll, Task, Waker, WakerTable};
pub use header::{Header, Lack, MAGIC, MAJOR, MINOR};
pub use plugin::{Bytes, Guest, PLUGIN_SYMBOL, Plugin, Report, Text};
pub use table::{Facts, Place, Pressure, Runtime, RuntimeHandle, Status, Table, ThreadKind, Work};
