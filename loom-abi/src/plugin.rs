//! What a guest says of itself.

use crate::{Header, RuntimeHandle, Status};

/// The symbol under which a library has its [`Plugin`].
pub const PLUGIN_SYMBOL: &str = "LOOM_PLUGIN";

/// Text in UTF-8, lent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// Where it begins; not null.
    pub data: *const u8,
    /// How many bytes it has.
    pub len: usize,
}

/// A place for text that tells what went wrong, lent; what does not fit is cut off.
#[repr(C)]
#[derive(Debug)]
pub struct Text {
    /// Where it begins; not null.
    pub data: *mut u8,
    /// How many bytes fit.
    pub capacity: usize,
    /// How many were written.
    pub len: usize,
}

/// What a guest has in the hands of others.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Futures of its own that others hold.
    pub futures: usize,
    /// Wakers of its own that others hold.
    pub wakers: usize,
    /// Closures of its own that others hold.
    pub jobs: usize,
    /// Tasks of its own that others hold.
    pub tasks: usize,
}

/// A guest, as it registers: the host copies this.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// Of this structure.
    pub header: Header,
    /// What the functions are given.
    pub data: *mut (),
    /// The host has ended, and takes no work from now on. At most once, before `drop`. It must not
    /// wait for anything, nor end a runtime of the host's.
    pub leave: unsafe extern "C" fn(data: *mut ()),
    /// The host will call none of these any more. Once.
    pub drop: unsafe extern "C" fn(data: *mut ()),
}

/// A library that can be loaded by a host, as the symbol [`PLUGIN_SYMBOL`] names it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// Of this structure.
    pub header: Header,
    /// What it calls itself.
    pub name: Bytes,
    /// Has it use this runtime. Text says why it does not.
    pub attach: unsafe extern "C" fn(RuntimeHandle<'_>, *mut Text) -> Status,
    /// Has it stop: its threads end, and nothing of it is left with others, within so many
    /// nanoseconds. Text says what is in use still, where it is not done.
    pub detach: unsafe extern "C" fn(nanos: u64, *mut Text) -> Status,
    /// What it has in the hands of others, all its runtimes together.
    /// Written as [`Table::describe`](crate::Table::describe) does.
    pub report: unsafe extern "C" fn(*mut Report, size: usize),
}

#[allow(unsafe_code, reason = "a static needs it")]
// SAFETY: its pointers are to what is never changed, as the text of a name is, or to functions.
unsafe impl Sync for Plugin {}
