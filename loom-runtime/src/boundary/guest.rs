//! A host, as its guests call it.

use std::mem::MaybeUninit;
use std::time::Duration;

use loom_abi::{
    Header, Lack, Place, Pressure, Runtime, RuntimeHandle, Status, Table, ThreadKind, Work,
};

use crate::sync::thread;

use super::future::{self, ForeignFuture};
use super::task::ForeignTask;
use super::{job, lent, registered, text};

/// A host's runtime, with one count of it.
#[derive(Debug)]
pub(crate) struct HostRef {
    runtime: *const Runtime,
    /// The fields of the host's table that this version knows.
    table: Table,
}

// SAFETY: X1, its functions may be called on any thread.
unsafe impl Send for HostRef {}
// SAFETY: X1, and by several threads at once.
unsafe impl Sync for HostRef {}

/// Facts about a host, and the name that it gave this guest.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) io_threads: usize,
    pub(crate) compute_threads: usize,
    pub(crate) compute_queue: usize,
    pub(crate) prefix: String,
    pub(crate) name: String,
}

impl HostRef {
    /// Takes a count of the runtime, if this side understands its table.
    pub(crate) fn of(handle: RuntimeHandle<'_>) -> Result<Self, Lack> {
        // SAFETY: X7, the contract of a handle promises a header.
        let header = unsafe { *handle.table().cast::<Header>() };
        header.check::<Table>()?;
        // SAFETY: X7, the header fits, so this is a table.
        let table = unsafe { *handle.table() };
        let runtime = handle.runtime();
        // SAFETY: X1, the lender of the handle has a count.
        unsafe { (table.retain)(runtime) };
        Ok(Self { runtime, table })
    }

    pub(crate) fn facts(&self) -> Facts {
        // Values for what the host does not write.
        let empty = text::lower("");
        let mut facts = loom_abi::Facts {
            io_threads: 1,
            compute_threads: 1,
            compute_queue: 1,
            prefix: empty,
            name: empty,
        };
        let size = size_of_val(&facts);
        // SAFETY: X1; X4, `facts` is a place of that size.
        unsafe { (self.table.describe)(self.runtime, &raw mut facts, size) };
        // SAFETY: X4, the text is valid for as long as our count.
        let prefix = unsafe { text::raise(&facts.prefix) };
        // SAFETY: X4, as above.
        let name = unsafe { text::raise(&facts.name) };
        let loom_abi::Facts { io_threads, compute_threads, compute_queue, .. } = facts;
        Facts { io_threads, compute_threads, compute_queue, prefix, name }
    }

    /// Registers this guest: the host calls `leave` when it ends.
    pub(crate) fn register(&self, leave: impl Fn() + Send + Sync + 'static) -> Status {
        let guest = registered::lower(leave);
        // SAFETY: X1; X7, the guest has its header.
        let status = unsafe { (self.table.register)(self.runtime, &raw const guest) };
        if status == Status::VERSION {
            // SAFETY: X2, the host has read only the header, so this side still owns the guest.
            unsafe { registered::take_back(guest) };
        }
        status
    }

    /// Makes the host give back the guest that it has registered.
    pub(crate) fn unregister(&self) {
        // SAFETY: X1.
        unsafe { (self.table.unregister)(self.runtime) };
    }

    /// Spawns a task. The payload of a panic in it is dropped.
    pub(crate) fn spawn<F>(&self, future: F) -> Result<ForeignTask, Status>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let future = future::lower(future);
        let mut place = MaybeUninit::uninit();
        // SAFETY: X1; X2, the future is passed by value; X4, `place` is a place for a task.
        match unsafe { (self.table.spawn)(self.runtime, future, place.as_mut_ptr()) } {
            Status::DONE => {
                // SAFETY: X4, the host has written the task.
                let task = unsafe { place.assume_init() };
                // SAFETY: X2, it was passed to us by value.
                Ok(unsafe { ForeignTask::raise(task) })
            }
            status => Err(status),
        }
    }

    /// Drives a future on the calling thread, if that thread may wait.
    pub(crate) fn block_on<F: Future<Output = ()>>(&self, future: F) -> Status {
        // SAFETY: X1; X2, the future is passed by value.
        lent::lend(future, |future| unsafe { (self.table.block_on)(self.runtime, future) })
    }

    pub(crate) fn sleep(&self, time: Duration) -> ForeignFuture {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: X1.
        let future = unsafe { (self.table.sleep)(self.runtime, nanos) };
        // SAFETY: X2, it was passed to us by value.
        unsafe { ForeignFuture::raise(future) }
    }

    pub(crate) fn yield_now(&self) -> ForeignFuture {
        // SAFETY: X1.
        let future = unsafe { (self.table.yield_now)(self.runtime) };
        // SAFETY: X2, it was passed to us by value.
        unsafe { ForeignFuture::raise(future) }
    }

    /// Returns the result of the closure: `None` where the host did not call it, or called it on
    /// another thread, which is refused.
    pub(crate) fn block_in_place<R>(
        &self,
        f: impl FnOnce() -> R,
    ) -> (Status, Option<thread::Result<R>>) {
        // SAFETY: X1; X6, the call is lent.
        job::lend_here(f, |call| unsafe { (self.table.block_in_place)(self.runtime, call) })
    }

    pub(crate) fn compute(&self, f: impl FnOnce() + Send + 'static, priority: u32) -> Status {
        // SAFETY: X1; X2, the job is passed by value.
        unsafe { (self.table.compute)(self.runtime, job::lower(f), priority) }
    }

    /// Returns the results of the closures: `None` for one that the host did not call.
    pub(crate) fn join<A, B>(
        &self,
        a: impl FnOnce() -> A + Send,
        b: impl FnOnce() -> B + Send,
    ) -> (Status, Option<thread::Result<A>>, Option<thread::Result<B>>)
    where
        A: Send,
        B: Send,
    {
        let mut result_of_b = None;
        let (status, result_of_a) = job::lend(a, |a| {
            let (status, result) =
                // SAFETY: X1; X6, both are lent.
                job::lend(b, |b| unsafe { (self.table.join)(self.runtime, a, b) });
            result_of_b = result;
            status
        });
        (status, result_of_a, result_of_b)
    }

    pub(crate) fn compute_threads(&self) -> usize {
        // SAFETY: X1.
        unsafe { (self.table.compute_threads)(self.runtime) }
    }

    pub(crate) fn start_thread(
        &self,
        kind: ThreadKind,
        number: usize,
        body: impl FnOnce() + Send + 'static,
    ) -> Status {
        // SAFETY: X1; X2, the job is passed by value.
        unsafe { (self.table.start_thread)(self.runtime, kind, number, job::lower_body(body)) }
    }

    pub(crate) fn place_thread(&self) {
        // SAFETY: X1.
        unsafe { (self.table.place_thread)(self.runtime) };
    }

    pub(crate) fn here(&self) -> Place {
        // SAFETY: X1.
        unsafe { (self.table.here)(self.runtime) }
    }

    pub(crate) fn begin(&self, work: Work) -> Status {
        // SAFETY: X1.
        unsafe { (self.table.begin)(self.runtime, work) }
    }

    /// Refused where no such work was begun here.
    pub(crate) fn end(&self, work: Work, how: Status) -> Status {
        // SAFETY: X1.
        unsafe { (self.table.end)(self.runtime, work, how) }
    }

    pub(crate) fn pressure(&self) -> Pressure {
        let mut pressure = Pressure { ready: 0.0, arrivals: 0.0, pressure_level: 0, reserved: 0 };
        let size = size_of_val(&pressure);
        // SAFETY: X1; X4, `pressure` is a place of that size.
        unsafe { (self.table.pressure)(self.runtime, &raw mut pressure, size) };
        pressure
    }
}

impl Drop for HostRef {
    fn drop(&mut self) {
        // SAFETY: X1, this gives up our count.
        unsafe { (self.table.release)(self.runtime) };
    }
}
