//! Structures that a guest or a loadable library shows to its host.

use crate::{Header, RuntimeHandle, Status};

/// The symbol under which a library exports its [`Plugin`].
pub const PLUGIN_SYMBOL: &str = "LOOM_PLUGIN";

/// UTF-8 text that is lent, and does not change meanwhile.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// Where it begins; not null, unless the text is empty.
    pub data: *const u8,
    /// How many bytes it has.
    pub len: usize,
}

/// A lent place for a text that says what went wrong; text that does not fit is cut off.
#[repr(C)]
#[derive(Debug)]
pub struct Text {
    /// Where it begins; not null, unless nothing fits.
    pub data: *mut u8,
    /// How many bytes fit.
    pub capacity: usize,
    /// How many bytes were written.
    pub len: usize,
}

/// Counts of what a guest has made and others hold. If all are zero, all were zero at one moment
/// of the call that wrote them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Futures of the guest that others hold.
    pub futures: usize,
    /// Wakers of the guest that others hold.
    pub wakers: usize,
    /// Closures of the guest that others hold.
    pub jobs: usize,
    /// Task handles of the guest's library that others hold.
    pub tasks: usize,
}

/// A guest, as it registers: the host copies this structure.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// The header of this structure.
    pub header: Header,
    /// The argument of the functions below.
    pub data: *mut (),
    /// Tells the guest that the host has ended and takes no work from now on. The host calls it at
    /// most once, on any thread, perhaps before `register` has returned and on its calling thread.
    /// It must not wait, so it calls no function of the host that waits, and it must not end a
    /// runtime of the host.
    pub leave: unsafe extern "C" fn(data: *mut ()),
    /// Frees the guest. The host calls it once, on any thread, and calls no function of this
    /// structure after it; if it calls `leave`, that has returned before. It must not wait. Futures
    /// and jobs of the guest stay valid.
    pub drop: unsafe extern "C" fn(data: *mut ()),
}

/// A library that can be loaded by a host, as the symbol [`PLUGIN_SYMBOL`] names it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// The header of this structure.
    pub header: Header,
    /// The name that the library gives itself.
    pub name: Bytes,
    /// Makes the library use this runtime. Where it returns another status than [`Status::DONE`],
    /// the library does not use the runtime, and has written the reason to the text:
    /// [`Status::PANICKED`] for a panic, and [`Status::REFUSED`] for any other reason.
    ///
    /// It waits, so it is called on any thread that may: one that drives no tasks and runs no
    /// compute work. The handle and the text are lent for the call.
    pub attach: unsafe extern "C" fn(RuntimeHandle<'_>, *mut Text) -> Status,
    /// Makes the library stop: its threads end, and others give back all that it has made. It
    /// waits at most so many nanoseconds for that. Where it returns another status than
    /// [`Status::DONE`], it has written the reason to the text: what is still in use
    /// ([`Status::IN_USE`]), or the message of a panic.
    ///
    /// It is called on any thread that may wait. Once it has returned [`Status::DONE`], the
    /// library's threads have done their work and others have nothing of it, until it is attached
    /// again.
    pub detach: unsafe extern "C" fn(nanos: u64, *mut Text) -> Status,
    /// Writes counts of what the library has made and others hold, for all its runtimes together,
    /// in the way of [`Table::describe`](crate::Table::describe). It is called on any thread.
    pub report: unsafe extern "C" fn(*mut Report, size: usize),
}

#[allow(unsafe_code, reason = "a static needs it")]
// SAFETY: its pointers are to data that never changes, such as the text of a name, or to functions.
unsafe impl Sync for Plugin {}
