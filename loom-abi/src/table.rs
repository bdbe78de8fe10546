//! The host's functions.

use core::marker::PhantomData;

use crate::{Bytes, Call, Future, Guest, Header, Job, Task};

/// How something went. Other values than those named here are of later versions, and errors.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// Well.
    pub const DONE: Self = Self(0);
    /// It panicked; what it threw stayed with its maker.
    pub const PANICKED: Self = Self(1);
    /// The host takes no new work.
    pub const SHUT_DOWN: Self = Self(2);
    /// The calling thread drives async tasks and must not wait.
    pub const ON_A_WORKER: Self = Self(3);
    /// The calling thread computes, and others may wait for it.
    pub const ON_A_COMPUTE_THREAD: Self = Self(4);
    /// As many calls wait already as may.
    pub const QUEUE_FULL: Self = Self(5);
    /// The system has refused a thread.
    pub const NO_THREAD: Self = Self(6);
    /// The process was forked, and the threads stayed in the parent.
    pub const FORKED: Self = Self(7);
    /// It was done before, or cannot be done any more.
    pub const REFUSED: Self = Self(8);
    /// The other side is of a version that does not fit; nothing of it was called.
    pub const VERSION: Self = Self(9);
    /// Something of it is still in use.
    pub const IN_USE: Self = Self(10);
}

/// What the calling thread is to the host.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u32);

impl Place {
    /// None of its threads; it may wait.
    pub const ELSEWHERE: Self = Self(0);
    /// It drives async tasks, whosever.
    pub const WORKER: Self = Self(1);
    /// It computes, for the host or for a guest.
    pub const COMPUTE: Self = Self(2);
}

/// Which of the host's seats a thread takes.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadKind(pub u32);

impl ThreadKind {
    /// Beside the host's I/O workers: every CPU of the budget, at normal priority.
    pub const IO: Self = Self(0);
    /// That of a compute thread of the host's, at its priority.
    pub const COMPUTE: Self = Self(1);
}

/// What a guest does on threads that the host cannot see into, for the host to count.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work(pub u32);

impl Work {
    /// A blocking function, or whatever else is no compute call.
    pub const TASK: Self = Self(0);
    /// A compute call.
    pub const COMPUTE: Self = Self(1);
}

/// What a runtime is to others: an address.
#[repr(C)]
#[derive(Debug)]
pub struct Runtime {
    _opaque: [u8; 0],
}

/// A host's runtime, lent to a guest. It gets a count of its own by [`Table::retain`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RuntimeHandle<'a> {
    table: *const Table,
    runtime: *const Runtime,
    lent: PhantomData<&'a Runtime>,
}

impl<'a> RuntimeHandle<'a> {
    /// A handle of these parts.
    ///
    /// # Safety
    ///
    /// For as long as `'a`, `table` points to what begins with a [`Header`] and, where that
    /// fits, is a [`Table`] that stays for as long as the process or the last count of
    /// `runtime` lives; its functions keep to the rules of this crate, and `runtime` is one that
    /// they take.
    #[allow(unsafe_code, reason = "it states what those who take a handle rely on")]
    #[must_use]
    pub const unsafe fn from_parts(table: *const Table, runtime: *const Runtime) -> Self {
        Self { table, runtime, lent: PhantomData }
    }

    /// The host's functions, of which nothing but the header is to be believed unread.
    #[must_use]
    pub const fn table(self) -> *const Table {
        self.table
    }

    /// What they are given.
    #[must_use]
    pub const fn runtime(self) -> *const Runtime {
        self.runtime
    }

    /// The same, for less long.
    #[must_use]
    pub const fn reborrow(&self) -> RuntimeHandle<'_> {
        RuntimeHandle { table: self.table, runtime: self.runtime, lent: PhantomData::<&'a Runtime> }
    }
}

/// What a host says of itself and of this guest. The text lives as long as the guest's count.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// I/O workers; 1 where the runtime is driven by a thread of somebody's.
    pub io_threads: usize,
    /// Compute threads.
    pub compute_threads: usize,
    /// How many compute calls may wait.
    pub compute_queue: usize,
    /// The first part of the names of its threads.
    pub prefix: Bytes,
    /// What the host calls the guest.
    pub name: Bytes,
}

/// How busy the host's I/O side is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    /// Tasks that are ready behind a worker.
    pub ready: f64,
    /// Tasks that become ready on a worker, a nanosecond.
    pub arrivals: f64,
    /// Changes when decisions should be looked at again.
    pub pressure_level: u32,
}

/// A host's functions. All take a runtime that the caller has a count of.
///
/// What is given by value belongs to the callee from then on, however the call ends.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Of this structure.
    pub header: Header,
    /// Adds a count.
    pub retain: unsafe extern "C" fn(*const Runtime),
    /// Gives a count back.
    pub release: unsafe extern "C" fn(*const Runtime),
    /// Writes what there is to know to a place for [`Facts`], of so many bytes; what is beyond
    /// them is left out, and what the host does not know is left as it is.
    pub describe: unsafe extern "C" fn(*const Runtime, *mut Facts, size: usize),
    /// Tells the host whom it has to do with: once for each handle, a second time is
    /// [`Status::REFUSED`]. The guest is the host's from then on, whatever it says, but for
    /// [`Status::VERSION`]: then nothing but the header was looked at.
    pub register: unsafe extern "C" fn(*const Runtime, *const Guest) -> Status,
    /// Has the host give the guest back, by its `drop`: it calls nothing of it from then on. Waits
    /// for a `leave` that is under way.
    pub unregister: unsafe extern "C" fn(*const Runtime),
    /// Spawns a task and writes it to the place. Without one it is detached.
    pub spawn: unsafe extern "C" fn(*const Runtime, Future, *mut Task) -> Status,
    /// Drives a future to its end on the calling thread. Where that must not wait, it says so
    /// and drops the future.
    pub block_on: unsafe extern "C" fn(*const Runtime, Future) -> Status,
    /// A future that is ready after so many nanoseconds.
    pub sleep: unsafe extern "C" fn(*const Runtime, nanos: u64) -> Future,
    /// A future that lets other tasks have their turn once.
    pub yield_now: unsafe extern "C" fn(*const Runtime) -> Future,
    /// Gives the worker's other tasks to another thread, and calls; elsewhere it only calls.
    pub block_in_place: unsafe extern "C" fn(*const Runtime, Call) -> Status,
    /// Runs a closure on the host's compute pool, some time, in line with the host's own calls;
    /// of a priority below, at or above (0, 1, 2) most others.
    pub compute: unsafe extern "C" fn(*const Runtime, Job, priority: u32) -> Status,
    /// Calls both, perhaps at the same time, on the host's compute pool.
    pub join: unsafe extern "C" fn(*const Runtime, Call, Call) -> Status,
    /// How many compute threads there are.
    pub compute_threads: unsafe extern "C" fn(*const Runtime) -> usize,
    /// Starts a thread of the host's, for the guest, in such a seat; the closure is its body,
    /// and the number part of its name and, among compute threads, its seat, counted round. What
    /// the closure says is not looked at. A seat of another number is one of [`ThreadKind::IO`].
    pub start_thread:
        unsafe extern "C" fn(*const Runtime, ThreadKind, number: usize, Job) -> Status,
    /// Puts the calling thread, which the guest has started, in the seat of an I/O thread.
    pub place_thread: unsafe extern "C" fn(*const Runtime),
    /// What the calling thread is.
    pub here: unsafe extern "C" fn(*const Runtime) -> Place,
    /// Counts work in that the guest does on threads of its own. Where it is
    /// [`Status::DONE`], [`end`](Self::end) counts it out.
    pub begin: unsafe extern "C" fn(*const Runtime, Work) -> Status,
    /// The end of such work: done or panicked.
    pub end: unsafe extern "C" fn(*const Runtime, Work, Status),
    /// Writes how busy the I/O side is, as [`describe`](Self::describe) does.
    pub pressure: unsafe extern "C" fn(*const Runtime, *mut Pressure, size: usize),
}
