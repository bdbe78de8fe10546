//! Futures, wakers and closures of one side, as the other holds them.

use crate::Status;

/// Whether a poll has come to an end.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll(pub u32);

impl Poll {
    /// Not yet; the waker will tell when to ask again.
    pub const PENDING: Self = Self(0);
    /// It has ended, and is not to be polled again.
    pub const READY: Self = Self(1);
    /// It has panicked, and is not to be polled again. What it threw stayed with its maker.
    pub const PANICKED: Self = Self(2);
}

/// What a poll is given.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Whom to wake; lent for the poll, and not null.
    pub waker: *const Waker,
}

/// A future without a result: that stays with whoever made it.
///
/// It belongs to who holds it, may be sent to other threads, is polled on one at a time, and
/// stays where it is (what moves is this, not what it points to).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Future {
    /// What the functions are given.
    pub data: *mut (),
    /// Polls it. Not after it was ready or panicked.
    pub poll: unsafe extern "C" fn(data: *mut (), context: *const Context) -> Poll,
    /// Gives it back to be dropped: once, whatever became of it. It says
    /// [`Status::PANICKED`] where its destructor did.
    pub drop: unsafe extern "C" fn(data: *mut ()) -> Status,
}

/// A counted waker: whoever holds a pointer to one knows its functions by its first word.
///
/// Two pointers are equal if they wake the same task, as far as its maker knows.
#[repr(C)]
#[derive(Debug)]
pub struct Waker {
    /// What can be done with it, for as long as it is there.
    pub table: *const WakerTable,
}

/// What can be done with a [`Waker`], on any thread. None of it unwinds.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WakerTable {
    /// Adds a count.
    pub retain: unsafe extern "C" fn(*const Waker),
    /// Gives a count back.
    pub release: unsafe extern "C" fn(*const Waker),
    /// Wakes, and leaves the count.
    pub wake: unsafe extern "C" fn(*const Waker),
}

/// A closure that is called once, perhaps later and on another thread.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// What the functions are given.
    pub data: *mut (),
    /// Runs it and frees it. Whoever calls this does not call `drop`.
    pub run: unsafe extern "C" fn(data: *mut ()) -> Status,
    /// Frees it without running it.
    pub drop: unsafe extern "C" fn(data: *mut ()),
}

/// A closure that is lent, and called at most once before the call that it was given to
/// returns, perhaps on another thread.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What the function is given.
    pub data: *mut (),
    /// Runs it.
    pub run: unsafe extern "C" fn(data: *mut ()) -> Status,
}

/// A task of the host's, to be aborted and then given back, or only that.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// What the functions are given.
    pub data: *const (),
    /// Ends it at its next await. Nothing happens where it has ended.
    pub abort: unsafe extern "C" fn(data: *const ()),
    /// Gives it back, once; the task goes on.
    pub release: unsafe extern "C" fn(data: *const ()),
}
