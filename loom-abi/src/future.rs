//! Futures, wakers, closures and tasks of one side, as the other side holds them.

use crate::Status;

/// The result of a poll.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll(pub u32);

impl Poll {
    /// The future has not ended; it wakes the waker when it is to be polled again.
    pub const PENDING: Self = Self(0);
    /// The future has ended, and must not be polled again.
    pub const READY: Self = Self(1);
    /// The future has panicked, and must not be polled again. Its maker keeps the panic payload.
    pub const PANICKED: Self = Self(2);
}

/// The context of a poll.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The waker of the polling task; lent for the poll, and not null.
    pub waker: *const Waker,
}

/// A future without a result: its maker keeps the result.
///
/// It belongs to its holder, may be sent to other threads, and is polled on one thread at a time.
/// This structure may be moved; the data that it points to may not.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Future {
    /// The argument of the functions below.
    pub data: *mut (),
    /// Polls the future. It must not be called after it has returned ready or panicked.
    pub poll: unsafe extern "C" fn(data: *mut (), context: *const Context) -> Poll,
    /// Drops the future. The holder calls it once, whether the future has ended or not. It returns
    /// [`Status::PANICKED`] where the destructor panicked.
    pub drop: unsafe extern "C" fn(data: *mut ()) -> Status,
}

/// A counted waker. The first word behind a pointer to it is the table of its functions.
///
/// Two pointers are equal if they wake the same task, as far as their maker knows.
#[repr(C)]
#[derive(Debug)]
pub struct Waker {
    /// Its functions, valid for as long as the waker.
    pub table: *const WakerTable,
}

/// The functions of a [`Waker`]. Any thread may call them, and none unwinds.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WakerTable {
    /// Adds a count.
    pub retain: unsafe extern "C" fn(*const Waker),
    /// Releases a count.
    pub release: unsafe extern "C" fn(*const Waker),
    /// Wakes the task, and keeps the count.
    pub wake: unsafe extern "C" fn(*const Waker),
}

/// A closure that is called once, perhaps later and on another thread.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The argument of the functions below.
    pub data: *mut (),
    /// Runs the closure and frees it. A caller of this must not call `drop`.
    pub run: unsafe extern "C" fn(data: *mut ()) -> Status,
    /// Frees the closure without running it.
    pub drop: unsafe extern "C" fn(data: *mut ()),
}

/// A closure that is lent to a function. It is called at most once, before that function returns,
/// perhaps on another thread.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The argument of `run`.
    pub data: *mut (),
    /// Runs the closure.
    pub run: unsafe extern "C" fn(data: *mut ()) -> Status,
}

/// A handle of a host's task. Its holder may abort the task, and releases the handle at the end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The argument of the functions below.
    pub data: *const (),
    /// Ends the task at its next await. It does nothing where the task has ended.
    pub abort: unsafe extern "C" fn(data: *const ()),
    /// Releases the handle, once; the task goes on.
    pub release: unsafe extern "C" fn(data: *const ()),
}
