//! A host of which every answer is made up, with statuses of any number.

use std::cell::{Cell, RefCell};

use loom_abi::{
    Bytes, Call, Context, Facts, Future, Guest, Job, Place, Poll, Pressure, Runtime, Status, Table,
    Task, ThreadKind, Work,
};

use crate::boundary::out;

use super::by_hand::{HandWaker, Random, drop_future};

thread_local! {
    pub(super) static RANDOM: RefCell<Random> = const { RefCell::new(Random::new(11)) };
    /// What the other side said last.
    pub(super) static SAID: Cell<u32> = const { Cell::new(0) };
    /// What the host holds for later.
    pub(super) static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
    /// How many tasks and futures the guest has of the host.
    pub(super) static HELD: Cell<isize> = const { Cell::new(0) };
    /// How many calls the host has run.
    pub(super) static RAN: Cell<usize> = const { Cell::new(0) };
    /// What the host has described, as the guest has to see it.
    pub(super) static WRITTEN: RefCell<Option<Facts>> = const { RefCell::new(None) };
}

pub(super) enum Kept {
    Future(Future),
    Job(Job),
    Guest(Guest),
}

pub(super) fn below(bound: u64) -> u64 {
    RANDOM.with_borrow_mut(|random| random.below(bound))
}

pub(super) fn is_so() -> bool {
    below(2) == 0
}

/// Says any number, more often one that means something.
pub(super) fn say() -> u32 {
    let number = RANDOM.with_borrow_mut(Random::number);
    let number = if below(4) == 0 { 0 } else { number };
    SAID.set(number);
    number
}

pub(super) fn said() -> Status {
    Status(SAID.get())
}

pub(super) fn holds(more: isize) {
    HELD.set(HELD.get() + more);
}

impl Kept {
    /// Uses it, perhaps, and gives it back.
    pub(super) fn end(self) {
        match self {
            Self::Future(future) => {
                while below(3) > 0 && HandWaker::new_poll(&future) == Poll::PENDING {}
                assert_eq!(drop_future(&future), Status::DONE);
            }
            // SAFETY: X2, this is the one run.
            Self::Job(job) if is_so() => drop(unsafe { (job.run)(job.data) }),
            // SAFETY: X2, this is the one drop.
            Self::Job(job) => unsafe { (job.drop)(job.data) },
            Self::Guest(guest) => {
                if is_so() {
                    // SAFETY: X2, it is told once, before the drop.
                    unsafe { (guest.leave)(guest.data) };
                }
                // SAFETY: X2, this is the one drop.
                unsafe { (guest.drop)(guest.data) };
            }
        }
    }

    /// Now, or later.
    fn end_some_time(self) {
        if is_so() { self.end() } else { KEPT.with_borrow_mut(|kept| kept.push(self)) }
    }
}

unsafe extern "C" fn nothing(_: *const ()) {}

unsafe extern "C" fn released(_: *const ()) {
    holds(-1);
}

unsafe extern "C" fn spawn(_: *const Runtime, future: Future, place: *mut Task) -> Status {
    Kept::Future(future).end_some_time();
    let status = Status(say());
    if status == Status::DONE {
        holds(1);
        // SAFETY: X4, there is a place for a task.
        unsafe { place.write(Task { data: std::ptr::null(), abort: nothing, release: released }) };
    }
    status
}

unsafe extern "C" fn block_on(_: *const Runtime, future: Future) -> Status {
    // Where it is kept, it ends all the same.
    Kept::Future(future).end_some_time();
    Status(say())
}

/// A future of the host whose polls are made up; its data say whether it has ended.
pub(super) fn made_up() -> Future {
    unsafe extern "C" fn poll(data: *mut (), _: *const Context) -> Poll {
        // SAFETY: X3, the guest has not dropped it.
        let has_ended = unsafe { &mut *data.cast::<bool>() };
        assert!(!*has_ended, "nothing is polled after its end");
        let polled = Poll(say());
        *has_ended = polled != Poll::PENDING;
        polled
    }
    unsafe extern "C" fn free(data: *mut ()) -> Status {
        holds(-1);
        // SAFETY: X2 and X9, this is its one drop.
        drop(unsafe { Box::from_raw(data.cast::<bool>()) });
        Status(say())
    }
    holds(1);
    Future { data: Box::into_raw(Box::new(false)).cast(), poll, drop: free }
}

unsafe extern "C" fn sleep(_: *const Runtime, _: u64) -> Future {
    made_up()
}

unsafe extern "C" fn yield_now(_: *const Runtime) -> Future {
    made_up()
}

/// Runs a call, or does not.
fn may_run(call: Call) {
    if is_so() {
        RAN.set(RAN.get() + 1);
        // SAFETY: X6, the call is lent until the function of the host returns.
        unsafe { (call.run)(call.data) };
    }
}

unsafe extern "C" fn in_place(_: *const Runtime, call: Call) -> Status {
    may_run(call);
    Status(say())
}

unsafe extern "C" fn join(_: *const Runtime, a: Call, b: Call) -> Status {
    let (first, second) = if is_so() { (a, b) } else { (b, a) };
    may_run(first);
    may_run(second);
    Status(say())
}

unsafe extern "C" fn compute(_: *const Runtime, job: Job, _: u32) -> Status {
    Kept::Job(job).end_some_time();
    Status(say())
}

unsafe extern "C" fn thread(_: *const Runtime, _: ThreadKind, _: usize, body: Job) -> Status {
    Kept::Job(body).end_some_time();
    Status(say())
}

unsafe extern "C" fn register(_: *const Runtime, guest: *const Guest) -> Status {
    let status = Status(say());
    if status != Status::VERSION {
        // SAFETY: X7, it is of this version.
        Kept::Guest(unsafe { *guest }).end_some_time();
    }
    status
}

unsafe extern "C" fn here(_: *const Runtime) -> Place {
    Place(say())
}

unsafe extern "C" fn begin(_: *const Runtime, _: Work) -> Status {
    Status(say())
}

unsafe extern "C" fn end(_: *const Runtime, _: Work, _: Status) -> Status {
    Status(say())
}

fn any_text() -> Bytes {
    match below(4) {
        0 => Bytes { data: std::ptr::null(), len: 0 },
        1 => Bytes { data: std::ptr::dangling(), len: 0 },
        2 => Bytes { data: b"\xff\xfe".as_ptr(), len: 2 },
        _ => Bytes { data: b"text".as_ptr(), len: 4 },
    }
}

/// A host of any version: it knows some of the fields.
unsafe extern "C" fn describe(_: *const Runtime, place: *mut Facts, size: usize) {
    let [io_threads, compute_threads, compute_queue] = [say(), say(), say()].map(|n| n as usize);
    let (prefix, name) = (any_text(), any_text());
    let facts = Facts { io_threads, compute_threads, compute_queue, prefix, name };
    let known = [0, 1, 2, 3, 5, 7][usize::try_from(below(6)).expect("it is small")];
    let known = size.min(known * size_of::<usize>());
    // SAFETY: X4, there is room for `size` bytes.
    unsafe { out::fill(place, known, &facts) };
    // What the guest has to see: its own values where the host wrote nothing.
    let empty = Bytes { data: std::ptr::null(), len: 0 };
    let mut seen =
        Facts { io_threads: 1, compute_threads: 1, compute_queue: 1, prefix: empty, name: empty };
    // SAFETY: X4, there is room for the whole structure.
    unsafe { out::fill(&raw mut seen, known, &facts) };
    WRITTEN.set(Some(seen));
}

unsafe extern "C" fn pressure(_: *const Runtime, place: *mut Pressure, size: usize) {
    let bits = RANDOM.with_borrow_mut(Random::next);
    SAID.set(say());
    let pressure_level = SAID.get();
    let ready = f64::from_bits(bits);
    let pressure = Pressure { ready, arrivals: f64::NAN, pressure_level, reserved: 0 };
    // SAFETY: X4, there is room for `size` bytes.
    unsafe { out::fill(place, size, &pressure) };
}

pub(super) fn change(table: &mut Table) {
    *table = Table {
        describe,
        register,
        spawn,
        block_on,
        sleep,
        yield_now,
        block_in_place: in_place,
        compute,
        join,
        start_thread: thread,
        here,
        begin,
        end,
        pressure,
        ..*table
    };
}
