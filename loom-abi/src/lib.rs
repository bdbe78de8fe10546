//! The types that cross a dynamic-library boundary between a Loom runtime and its plug-ins.
//!
//! Two sides that were built apart share no Rust type: not the layout of a future, a waker or a
//! boxed panic, nor an allocator, nor a thread-local. This crate has the types that they share;
//! each is `#[repr(C)]`, and each function is `extern "C"`. The *host* has the runtime, and a
//! *guest* uses it; either may be in any library.
//!
//! This crate is a layout. Its only code makes and checks headers, and takes handles apart.
//! `loom-runtime` has both sides behind a safe interface. A side that is written by hand keeps to
//! these rules:
//!
//! - No call unwinds. A function that runs code that may panic catches the panic, and returns
//!   [`Status::PANICKED`].
//! - The side that made a value frees it: each value has a function for that, which the other side
//!   calls.
//! - The maker of a counted value counts it, through `retain` and `release`.
//! - A pointer to a [`Waker`] in a [`Context`] is lent for the call; `retain` makes it last.
//! - A pointer is not null, unless its documentation says otherwise, and what is behind it is
//!   aligned.
//! - The library of a function stays mapped until every call of the function has returned. A host
//!   stays mapped for as long as anybody has a value of it.
//!
//! # Threads
//!
//! Each function says on which threads it is called, in these words:
//!
//! - On *any thread*: on each thread, on several at once, and from within any other function of
//!   either side, itself included.
//! - On any thread, *one at a time*: a call begins after the call before it has returned, and sees
//!   what that call did. So it does not begin within such a call either, nor within what such a
//!   call calls.
//! - On the *calling thread*: on the thread that called the function which received the value.
//!
//! A function *waits* if its documentation says so: it returns after other threads have done
//! something. Every other function returns without that, so it may be called where a thread must
//! not wait. A function runs what it was given before it returns only where its documentation says
//! so; it may always drop it. A side holds a lock while it calls the other side only if no function
//! takes that lock, except those that wait.
//!
//! | function | is called by | on | until | waits |
//! | --- | --- | --- | --- | --- |
//! | [`Future`]: `poll`, `drop` | the holder | any thread, one at a time; for [`Table::block_on`] the calling thread | `drop` | no |
//! | [`WakerTable`]: `retain`, `wake`, `release` | every side that has a count; `retain` and `wake` also within the poll that lends it | any thread | the last `release` | no |
//! | [`Job`]: either `run` or `drop` | the holder, once | any thread; on the calling thread `run` only after the receiver has returned | that call | `run`: as the receiver says |
//! | [`Call`]: `run` | the host, at most once | the calling thread; for [`Table::join`] any thread | the return of the receiver | it may |
//! | [`Task`]: `abort` | the holder | any thread | `release` | no |
//! | [`Task`]: `release` | the holder, once | any thread | that call | no |
//! | [`Guest`]: `leave` | the host, at most once | any thread | `drop` | no |
//! | [`Guest`]: `drop` | the host, once | any thread; not during `leave` | that call | no |
//! | [`Plugin`]: `attach`, `detach` | the host | any thread that may wait | the library is unmapped | yes |
//! | [`Plugin`]: `report` | the host | any thread | the library is unmapped | no |
//! | [`Table`]: all functions | the guest | any thread | the last `release` | `register`, `unregister`, `block_on`, `block_in_place`, `join`, `start_thread` |
//!
//! A maker may check these rules, and refuse a call that breaks one: a poll with
//! [`Poll::PANICKED`], and a call that returns a status with [`Status::REFUSED`]. Any other call then
//! does nothing.
//!
//! # Versions
//!
//! A structure that may grow begins with a [`Header`] and grows at its end, with a new minor
//! number. Any other change is a new major number, and the other side refuses it. See
//! [`Header::check`].

#![no_std]

use core::mem::offset_of;

mod future;
mod header;
mod plugin;
mod table;

pub use future::{Call, Context, Future, Job, Poll, Task, Waker, WakerTable};
pub use header::{Header, Lack, MAGIC, MAJOR, MINOR};
pub use plugin::{Bytes, Guest, PLUGIN_SYMBOL, Plugin, Report, Text};
pub use table::{Facts, Place, Pressure, Runtime, RuntimeHandle, Status, Table, ThreadKind, Work};

/// No structure that may grow ends in padding, on any target. A new field there would not change the
/// size, and the other side would take the padding for the field.
const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(size_of::<Header>() == offset_of!(Header, size) + WORD);
    assert!(size_of::<Table>() == offset_of!(Table, pressure) + WORD);
    assert!(size_of::<Guest>() == offset_of!(Guest, drop) + WORD);
    assert!(size_of::<Plugin>() == offset_of!(Plugin, report) + WORD);
    assert!(size_of::<Facts>() == offset_of!(Facts, name) + size_of::<Bytes>());
    assert!(size_of::<Bytes>() == offset_of!(Bytes, len) + WORD);
    assert!(size_of::<Report>() == offset_of!(Report, tasks) + WORD);
    assert!(size_of::<Pressure>() == offset_of!(Pressure, reserved) + size_of::<u32>());
};
