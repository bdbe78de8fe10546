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
    /// The future has panicked, and must not be polled again; its maker keeps the panic payload. Or
    /// the maker has refused this poll, since it breaks a rule of [`Future`]: a poll that is under
    /// way goes on. A value that is not named here means the same as this one.
    pub const PANICKED: Self = Self(2);
}

/// The context of a poll.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The waker of the polling task, lent for the poll. It may be another one in each poll.
    pub waker: *const Waker,
}

/// A future without a result: its maker keeps the result.
///
/// It belongs to its holder, who may move this structure and send it to other threads; the data
/// that it points to stays where it is. It is valid until its `drop`, also after its host has ended
/// and after its guest was given back.
///
/// The holder calls `poll` and `drop` on any thread, one at a time: neither overlaps a poll of the
/// same future. So a waker that is woken within a poll does not poll, and an abort within a poll
/// does not drop, before that poll has returned. The future of [`Table::block_on`] is polled and
/// dropped on the calling thread alone.
///
/// [`Table::block_on`]: crate::Table::block_on
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Future {
    /// The argument of the functions below.
    pub data: *mut (),
    /// Polls the future. It must not be called after it has returned ready or panicked. It does not
    /// wait.
    pub poll: unsafe extern "C" fn(data: *mut (), context: *const Context) -> Poll,
    /// Drops the future. The holder calls it once, whether the future has ended or not, and calls
    /// nothing of the future after it, whatever it returns: [`Status::PANICKED`] where the
    /// destructor panicked, and [`Status::REFUSED`] where the maker could not drop the future here.
    pub drop: unsafe extern "C" fn(data: *mut ()) -> Status,
}

/// A counted waker. The first word behind a pointer to it is the table of its functions.
///
/// It is known by its address, and is neither copied nor moved. Two pointers are equal if they wake
/// the same task, as far as their maker knows. It is valid while there is a count, whatever has
/// become of its task and of the runtime.
#[repr(C)]
#[derive(Debug)]
pub struct Waker {
    /// Its functions, valid for as long as the waker. A maker tells its wakers by this pointer, so
    /// nobody else makes a waker with the same table.
    pub table: *const WakerTable,
}

/// The functions of a [`Waker`]. They are called on any thread, within a poll of the task, too.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WakerTable {
    /// Adds a count. The caller has a count, or is within the poll that lends it the waker.
    pub retain: unsafe extern "C" fn(*const Waker),
    /// Releases a count, which the caller has got by `retain`.
    pub release: unsafe extern "C" fn(*const Waker),
    /// Wakes the task, and keeps the count. It does nothing where the task has ended. It may run code
    /// of the waker's maker. Within a poll it does not poll the future of that poll.
    pub wake: unsafe extern "C" fn(*const Waker),
}

/// A closure that is called once, perhaps later and on another thread.
///
/// It belongs to its holder, who calls one of its functions once, on any thread, also after the
/// host has ended.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The argument of the functions below.
    pub data: *mut (),
    /// Runs the closure and frees it. A caller of this must not call `drop`. How long it runs, and
    /// whether it waits, is for the function to say that received the job. Another thread may run it
    /// before that function has returned. The calling thread does not.
    pub run: unsafe extern "C" fn(data: *mut ()) -> Status,
    /// Frees the closure without running it.
    pub drop: unsafe extern "C" fn(data: *mut ()),
}

/// A closure that is lent to a function. It is called at most once, and has returned before that
/// function returns. It runs on the calling thread, unless the function says otherwise, and may
/// wait.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The argument of `run`.
    pub data: *mut (),
    /// Runs the closure.
    pub run: unsafe extern "C" fn(data: *mut ()) -> Status,
}

/// A handle of a host's task. Its holder may abort the task, and releases the handle at the end. It
/// is valid until then, also after the task or the host has ended.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The argument of the functions below.
    pub data: *const (),
    /// Ends the task at its next await. It does nothing where the task has ended. It is called on
    /// any thread, within a poll of the task, too, and may drop the task's future before it
    /// returns, though not within a poll.
    pub abort: unsafe extern "C" fn(data: *const ()),
    /// Releases the handle, once, on any thread, after every `abort` has returned; the task goes
    /// on.
    pub release: unsafe extern "C" fn(data: *const ()),
}
