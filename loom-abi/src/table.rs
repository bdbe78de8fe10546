//! The host's functions, and the types that they use.

use core::marker::PhantomData;

use crate::{Bytes, Call, Future, Guest, Header, Job, Task};

/// How a call ended. Values that are not named here come from later versions, and are errors.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// The call succeeded.
    pub const DONE: Self = Self(0);
    /// The code panicked; the side that ran it keeps the panic payload.
    pub const PANICKED: Self = Self(1);
    /// The host takes no new work.
    pub const SHUT_DOWN: Self = Self(2);
    /// The calling thread drives async tasks and must not wait.
    pub const ON_A_WORKER: Self = Self(3);
    /// The calling thread runs compute work, and other threads may wait for it.
    pub const ON_A_COMPUTE_THREAD: Self = Self(4);
    /// The queue is full: no more calls may wait.
    pub const QUEUE_FULL: Self = Self(5);
    /// The system has refused a thread.
    pub const NO_THREAD: Self = Self(6);
    /// The process was forked, and the threads stayed in the parent.
    pub const FORKED: Self = Self(7);
    /// The call came too late (it was already made, or is no longer possible), or breaks a rule: it
    /// was made on the wrong thread or within another call, or ends what was not begun.
    pub const REFUSED: Self = Self(8);
    /// The other side has a version that does not fit; none of its functions was called.
    pub const VERSION: Self = Self(9);
    /// A part of it is still in use.
    pub const IN_USE: Self = Self(10);
}

/// The role of the calling thread, as the host sees it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u32);

impl Place {
    /// Any other thread; it may wait.
    pub const ELSEWHERE: Self = Self(0);
    /// The thread drives async tasks, of any runtime.
    pub const WORKER: Self = Self(1);
    /// The thread runs compute work, for the host or for a guest.
    pub const COMPUTE: Self = Self(2);
}

/// Which of the host's thread plans (CPUs and priority) a thread gets.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadKind(pub u32);

impl ThreadKind {
    /// The plan of a thread beside the host's I/O workers: every CPU of the budget, at normal
    /// priority.
    pub const IO: Self = Self(0);
    /// The plan of one of the host's compute threads, at that thread's priority.
    pub const COMPUTE: Self = Self(1);
}

/// Work that a guest does on threads of its own, which the host cannot see, for the host to count.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work(pub u32);

impl Work {
    /// A blocking function, or any other work that is no compute call.
    pub const TASK: Self = Self(0);
    /// A compute call.
    pub const COMPUTE: Self = Self(1);
}

/// A runtime, opaque to the other side: only its address is used.
#[repr(C)]
#[derive(Debug)]
pub struct Runtime {
    _opaque: [u8; 0],
}

/// A host's runtime, lent to a guest. The guest takes a count of its own by [`Table::retain`]. Each
/// handle stands for one guest, whose work the host counts apart.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RuntimeHandle<'a> {
    table: *const Table,
    runtime: *const Runtime,
    lent: PhantomData<&'a Runtime>,
}

impl<'a> RuntimeHandle<'a> {
    /// A handle made of these parts.
    ///
    /// # Safety
    ///
    /// For as long as `'a`, `table` points to a structure that begins with a [`Header`]. Where the
    /// header fits, the structure is a [`Table`] that stays valid for as long as the process or
    /// the last count of `runtime` lives. Its functions keep to the rules of this crate, and
    /// `runtime` is a runtime that they accept.
    #[allow(unsafe_code, reason = "users of a handle rely on this contract")]
    #[must_use]
    pub const unsafe fn from_parts(table: *const Table, runtime: *const Runtime) -> Self {
        Self { table, runtime, lent: PhantomData }
    }

    /// The host's functions. Check the header before you read anything else of them.
    #[must_use]
    pub const fn table(self) -> *const Table {
        self.table
    }

    /// The runtime, which the functions take.
    #[must_use]
    pub const fn runtime(self) -> *const Runtime {
        self.runtime
    }

    /// The same handle, for a shorter lifetime.
    #[must_use]
    pub const fn reborrow(&self) -> RuntimeHandle<'_> {
        RuntimeHandle { table: self.table, runtime: self.runtime, lent: PhantomData::<&'a Runtime> }
    }
}

/// Facts about a host, and the name that it gave this guest. The texts are valid for as long as the
/// guest has a count of the runtime.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// I/O workers; 1 for a current-thread runtime, which the host's caller drives.
    pub io_threads: usize,
    /// Compute threads.
    pub compute_threads: usize,
    /// How many compute calls may wait.
    pub compute_queue: usize,
    /// The prefix of the names of the host's threads.
    pub prefix: Bytes,
    /// The name that the host gave the guest.
    pub name: Bytes,
}

/// How busy the host's I/O side is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    /// Ready tasks that wait behind the running task of one worker.
    pub ready: f64,
    /// Tasks that become ready on one worker per nanosecond.
    pub arrivals: f64,
    /// Changes when placement decisions should be made anew.
    pub pressure_level: u32,
    /// 0. It has a name, so that a later field cannot lie where this version has padding.
    pub reserved: u32,
}

/// A host's functions. All take a runtime of which the caller has a count, and are called on any
/// thread.
///
/// A host that has ended, and has called [`Guest::leave`], refuses new work: `register`, `spawn`,
/// `block_on`, `compute`, `join`, `start_thread` and `begin`. The status is [`Status::SHUT_DOWN`],
/// unless it would have refused the call before its end, too. A future of `sleep` may then end with [`Poll::PANICKED`](crate::Poll::PANICKED). The
/// other functions do what they say, as before.
///
/// A value that is passed by value belongs to the callee from then on, however the call ends. A
/// place is lent for the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The header of this structure.
    pub header: Header,
    /// Adds a count. The caller has a count, or a [`RuntimeHandle`] that is lent to it.
    pub retain: unsafe extern "C" fn(*const Runtime),
    /// Releases a count. What the host has made (tasks, futures, wakers) needs none.
    pub release: unsafe extern "C" fn(*const Runtime),
    /// Writes facts to a place of `size` bytes for [`Facts`]. Fields beyond `size` are left out,
    /// and fields that the host does not know are left unchanged.
    pub describe: unsafe extern "C" fn(*const Runtime, *mut Facts, size: usize),
    /// Registers a guest, once for each handle; a second call returns [`Status::REFUSED`], or
    /// [`Status::SHUT_DOWN`] after the end. The
    /// guest belongs to the host from then on, whatever the call returns, except for
    /// [`Status::VERSION`]: then the host has read only the header, and the caller keeps the guest.
    /// It may call the guest's `leave` and `drop` before it returns, and where it does not return
    /// [`Status::DONE`] it has called `drop`. It waits for a `leave` that is under way.
    pub register: unsafe extern "C" fn(*const Runtime, *const Guest) -> Status,
    /// Makes the host give the guest back that it has registered, by its `drop`, and register none
    /// from then on. When it returns, that guest's functions have returned, and the host calls none of
    /// them any more. So
    /// it waits for a `leave` or a `drop` that is under way, and neither may call it.
    pub unregister: unsafe extern "C" fn(*const Runtime),
    /// Spawns a task and writes its handle to the place, if it returns [`Status::DONE`] and the
    /// place is not null. Where the place is null, the task is detached. Another thread may poll
    /// the task, and may end it, before this returns; the calling thread does not poll it.
    pub spawn: unsafe extern "C" fn(*const Runtime, Future, *mut Task) -> Status,
    /// Drives a future to its end on the calling thread, and waits for it. Where that thread must
    /// not wait, the status says so. The future is polled and dropped on the calling thread alone,
    /// and was dropped before this returns; it need not be sendable, and may borrow.
    pub block_on: unsafe extern "C" fn(*const Runtime, Future) -> Status,
    /// Returns a future that is ready after so many nanoseconds.
    pub sleep: unsafe extern "C" fn(*const Runtime, nanos: u64) -> Future,
    /// Returns a future that lets other tasks run once.
    pub yield_now: unsafe extern "C" fn(*const Runtime) -> Future,
    /// Runs the call on the calling thread, whichever that is, and returns the call's status. On a
    /// worker it first gives the worker's other tasks to another thread. It waits as long as the
    /// call does.
    pub block_in_place: unsafe extern "C" fn(*const Runtime, Call) -> Status,
    /// Queues a closure with the host's own calls, to run on the host's compute pool at a later
    /// time, or on another thread at once. The closure does not wait for tasks of the host. The
    /// priority is below (0), at (1) or above (2) that of most calls; any other number counts as 2.
    pub compute: unsafe extern "C" fn(*const Runtime, Job, priority: u32) -> Status,
    /// Runs both calls, each on any thread, perhaps at the same time and in any order, on the
    /// host's compute pool, and waits for both. Where it returns neither [`Status::DONE`] nor
    /// [`Status::PANICKED`], it may have run none.
    pub join: unsafe extern "C" fn(*const Runtime, Call, Call) -> Status,
    /// How many compute threads there are.
    pub compute_threads: unsafe extern "C" fn(*const Runtime) -> usize,
    /// Starts a thread of the host for the guest, with the thread plan of that kind. The closure
    /// is its body: it runs for as long as it likes, and may wait; its status is ignored. The
    /// thread runs this body alone, and ends after it. The number is part of the thread's name; for
    /// a compute thread it also selects the plan, modulo the number of plans. An unknown kind
    /// counts as [`ThreadKind::IO`]. It waits until the system has made the thread.
    pub start_thread:
        unsafe extern "C" fn(*const Runtime, ThreadKind, number: usize, Job) -> Status,
    /// Applies the thread plan of [`ThreadKind::IO`] to the calling thread, which the guest has
    /// started.
    pub place_thread: unsafe extern "C" fn(*const Runtime),
    /// The role of the calling thread.
    pub here: unsafe extern "C" fn(*const Runtime) -> Place,
    /// Counts in work that the guest does on threads of its own. Where it returns
    /// [`Status::DONE`], [`end`](Self::end) counts the work out, and otherwise there is nothing to
    /// end. An unknown kind of work is refused ([`Status::REFUSED`]). What a guest has begun and not
    /// ended counts until the host gives the guest up, at the latest when the last count of its handle
    /// is released.
    pub begin: unsafe extern "C" fn(*const Runtime, Work) -> Status,
    /// Counts out such work, as done or panicked; on any thread, after its `begin` has returned.
    /// Where this guest has begun no such work that has not ended, it returns [`Status::REFUSED`]
    /// and counts nothing.
    pub end: unsafe extern "C" fn(*const Runtime, Work, Status) -> Status,
    /// Writes how busy the I/O side is, in the way of [`describe`](Self::describe).
    pub pressure: unsafe extern "C" fn(*const Runtime, *mut Pressure, size: usize),
}
