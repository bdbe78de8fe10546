//! A host's functions, in the form of the table of `loom-abi`.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use loom_abi::{
    Call, Future, Guest, Header, Job, Place, Pressure, Runtime, RuntimeHandle, Status, Table, Task,
    ThreadKind, Work,
};

use crate::panics::{drop_ignoring_panic, ignore_panic};
use crate::sync::Arc;

use super::future::{self, ForeignFuture};
use super::host::Host;
use super::job::{ForeignCall, ForeignJob};
use super::registered::ForeignGuest;
use super::{ledger, out, pin, task, text};

/// A handle of a host, valid for as long as the `Arc` is borrowed.
pub(crate) fn handle<H: Host>(host: &Arc<H>) -> RuntimeHandle<'_> {
    // SAFETY: X1, the pointer belongs to an `Arc` of the type that the table is for; the table is
    // a static of this library, which stays mapped as long as the host has guests (X8).
    unsafe { RuntimeHandle::from_parts(&raw const *H::table(), Arc::as_ptr(host).cast()) }
}

/// The functions of `H`, for the static that [`Host::table`] returns.
pub(crate) const fn table<H: Host>() -> Table {
    Table {
        header: Header::of::<Table>(),
        retain: retain::<H>,
        release: release::<H>,
        describe: describe::<H>,
        register: register::<H>,
        unregister: unregister::<H>,
        spawn: spawn::<H>,
        block_on: block_on::<H>,
        sleep: sleep::<H>,
        yield_now: yield_now::<H>,
        block_in_place: block_in_place::<H>,
        compute: compute::<H>,
        join: join::<H>,
        compute_threads: compute_threads::<H>,
        start_thread: start_thread::<H>,
        place_thread: place_thread::<H>,
        here: here::<H>,
        begin: begin::<H>,
        end: end::<H>,
        pressure: pressure::<H>,
    }
}

/// # Safety
///
/// X1: the caller has a count for as long as `'a`.
unsafe fn host<'a, H: Host>(runtime: *const Runtime) -> &'a H {
    // SAFETY: X1, by this function's contract.
    unsafe { &*runtime.cast::<H>() }
}

/// Runs `f`, and returns a panic as a status (X5).
fn caught(f: impl FnOnce() -> Status) -> Status {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        drop_ignoring_panic(payload);
        Status::PANICKED
    })
}

unsafe extern "C" fn retain<H: Host>(runtime: *const Runtime) {
    // Before the count, so that the ledger has no less than there are.
    mem::forget(ledger::RUNTIMES.enter());
    // SAFETY: X1, the pointer belongs to an `Arc`, of which the caller has a count.
    unsafe { Arc::increment_strong_count(runtime.cast::<H>()) };
}

unsafe extern "C" fn release<H: Host>(runtime: *const Runtime) {
    pin::stay();
    // SAFETY: X1, the caller has this count and gives it up.
    let count = unsafe { Arc::from_raw(runtime.cast::<H>()) };
    ignore_panic(|| drop(count));
    ledger::RUNTIMES.leave();
}

unsafe extern "C" fn describe<H: Host>(
    runtime: *const Runtime,
    place: *mut loom_abi::Facts,
    size: usize,
) {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    ignore_panic(|| {
        let facts = host.facts();
        let facts = loom_abi::Facts {
            io_threads: facts.io_threads,
            compute_threads: facts.compute_threads,
            compute_queue: facts.compute_queue,
            prefix: text::lower(facts.prefix),
            name: text::lower(facts.name),
        };
        // SAFETY: X4, the caller gives a place for `size` bytes of it.
        unsafe { out::fill(place, size, &facts) };
    });
}

unsafe extern "C" fn register<H: Host>(runtime: *const Runtime, guest: *const Guest) -> Status {
    // SAFETY: X7, it begins with a header, and is a guest if the header fits.
    let Ok(guest) = (unsafe { ForeignGuest::raise(guest) }) else { return Status::VERSION };
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| host.register(guest))
}

unsafe extern "C" fn unregister<H: Host>(runtime: *const Runtime) {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    ignore_panic(|| host.unregister());
}

unsafe extern "C" fn spawn<H: Host>(
    runtime: *const Runtime,
    future: Future,
    place: *mut Task,
) -> Status {
    // SAFETY: X2, the future was passed by value.
    let future = unsafe { ForeignFuture::raise(future) };
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| match host.spawn(future) {
        Ok(_detached) if place.is_null() => Status::DONE,
        Ok(spawned) => {
            // SAFETY: X4, a place that is not null has room for a task.
            unsafe { place.write(task::lower::<H>(spawned)) };
            Status::DONE
        }
        Err(status) => status,
    })
}

unsafe extern "C" fn block_on<H: Host>(runtime: *const Runtime, future: Future) -> Status {
    // SAFETY: X2, the future was passed by value.
    let future = unsafe { ForeignFuture::raise(future) };
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| host.block_on(future))
}

unsafe extern "C" fn sleep<H: Host>(runtime: *const Runtime, nanos: u64) -> Future {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    made(|| host.sleep(Duration::from_nanos(nanos)))
}

unsafe extern "C" fn yield_now<H: Host>(runtime: *const Runtime) -> Future {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    made(|| host.yield_now())
}

/// A future of the host, or one that panics where the host could not make it.
fn made<F>(make: impl FnOnce() -> F) -> Future
where
    F: std::future::Future<Output = ()> + Send + 'static,
{
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(future) => future::lower(future),
        Err(payload) => {
            drop_ignoring_panic(payload);
            future::lower(async { panic!("the host panicked while it made this future") })
        }
    }
}

unsafe extern "C" fn block_in_place<H: Host>(runtime: *const Runtime, call: Call) -> Status {
    // SAFETY: X6, the call is used up below.
    let call = unsafe { ForeignCall::raise(call) };
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| host.block_in_place(call))
}

unsafe extern "C" fn compute<H: Host>(runtime: *const Runtime, job: Job, priority: u32) -> Status {
    // SAFETY: X2, the job was passed by value.
    let job = unsafe { ForeignJob::raise(job) };
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| host.compute(job, priority))
}

unsafe extern "C" fn join<H: Host>(runtime: *const Runtime, a: Call, b: Call) -> Status {
    // SAFETY: X6, the call is used up below.
    let a = unsafe { ForeignCall::raise(a) };
    // SAFETY: X6, as above.
    let b = unsafe { ForeignCall::raise(b) };
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| host.join(a, b))
}

unsafe extern "C" fn compute_threads<H: Host>(runtime: *const Runtime) -> usize {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    let mut threads = 1;
    ignore_panic(|| threads = host.facts().compute_threads);
    threads
}

unsafe extern "C" fn start_thread<H: Host>(
    runtime: *const Runtime,
    kind: ThreadKind,
    number: usize,
    body: Job,
) -> Status {
    // SAFETY: X2, the body was passed by value.
    let body = unsafe { ForeignJob::raise(body) };
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| host.start_thread(kind, number, body))
}

unsafe extern "C" fn place_thread<H: Host>(runtime: *const Runtime) {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    ignore_panic(|| host.place_thread());
}

unsafe extern "C" fn here<H: Host>(runtime: *const Runtime) -> Place {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    // Where the host cannot say, the caller must not wait.
    let mut place = Place::WORKER;
    ignore_panic(|| place = host.here());
    place
}

unsafe extern "C" fn begin<H: Host>(runtime: *const Runtime, work: Work) -> Status {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| host.begin(work))
}

unsafe extern "C" fn end<H: Host>(runtime: *const Runtime, work: Work, how: Status) -> Status {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    caught(|| host.end(work, how))
}

unsafe extern "C" fn pressure<H: Host>(runtime: *const Runtime, place: *mut Pressure, size: usize) {
    // SAFETY: X1.
    let host = unsafe { host::<H>(runtime) };
    let mut pressure = Pressure { ready: 0.0, arrivals: 0.0, pressure_level: 0, reserved: 0 };
    ignore_panic(|| pressure = host.pressure());
    // SAFETY: X4, the caller gives a place for `size` bytes of it.
    unsafe { out::fill(place, size, &pressure) };
}
