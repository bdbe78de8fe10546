//! What a side that is written by hand has: wakers, futures and tables of functions of its own.

use std::ptr::NonNull;

use loom_abi::{Context, Future, Poll, RuntimeHandle, Status, Table, Waker, WakerTable};

use crate::boundary::{HostRef, handle};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread;

use super::Fake;

/// Pseudo-random numbers (splitmix64) that are the same in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Often a small number, and sometimes any.
    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
    pub(super) fn number(&mut self) -> u32 {
        match self.below(4) {
            0 => self.next() as u32,
            1 => u32::MAX - self.below(3) as u32,
            _ => self.below(14) as u32,
        }
    }
}

/// A value for another thread. The test that sends it keeps to the rules for it.
pub(super) struct Sent<T>(pub(super) T);

// SAFETY: X3, a future may be sent; the tests of what may not be sent make sure that it is refused.
unsafe impl<T> Send for Sent<T> {}

impl<T> Sent<T> {
    pub(super) fn take(self) -> T {
        self.0
    }
}

/// Calls `f` with a value on another thread, and waits for it.
pub(super) fn elsewhere<T, R: Send>(value: T, f: impl FnOnce(T) -> R + Send) -> R {
    let value = Sent(value);
    thread::scope(|scope| {
        let thread = scope.spawn(move || f(value.take()));
        thread.join().expect("it does not panic")
    })
}

/// A waker of a side that is written by hand. It is freed with its last count.
#[derive(Clone, Copy)]
pub(super) struct HandWaker(NonNull<Shared>);

#[repr(C)]
struct Shared {
    raw: Waker,
    wakes: AtomicUsize,
    counts: AtomicUsize,
}

static TABLE: WakerTable = WakerTable { retain, release, wake };

unsafe extern "C" fn retain(raw: *const Waker) {
    // SAFETY: X4, the caller has a count, or was lent the waker.
    unsafe { &*raw.cast::<Shared>() }.counts.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn release(raw: *const Waker) {
    // SAFETY: X4, the caller has this count.
    let before = unsafe { &*raw.cast::<Shared>() }.counts.fetch_sub(1, Ordering::AcqRel);
    if before == 1 {
        // SAFETY: X9, it is of `HandWaker::new`, and this was the last count.
        drop(unsafe { Box::from_raw(raw.cast::<Shared>().cast_mut()) });
    }
}

unsafe extern "C" fn wake(raw: *const Waker) {
    // SAFETY: X4, the caller has a count.
    unsafe { &*raw.cast::<Shared>() }.wakes.fetch_add(1, Ordering::Relaxed);
}

impl HandWaker {
    /// A waker with one count, which [`give_up`](Self::give_up) takes.
    pub(super) fn new() -> Self {
        let raw = Waker { table: &raw const TABLE };
        let (wakes, counts) = (AtomicUsize::new(0), AtomicUsize::new(1));
        let shared = Box::new(Shared { raw, wakes, counts });
        Self(NonNull::new(Box::into_raw(shared)).expect("it is of a box"))
    }

    pub(super) fn wakes(self) -> usize {
        // SAFETY: X4, the tests use it while it has a count.
        unsafe { self.0.as_ref() }.wakes.load(Ordering::Relaxed)
    }

    pub(super) fn counts(self) -> usize {
        // SAFETY: X4, as above.
        unsafe { self.0.as_ref() }.counts.load(Ordering::Relaxed)
    }

    pub(super) fn raw(self) -> *const Waker {
        self.0.as_ptr().cast()
    }

    pub(super) fn poll(self, future: &Future) -> Poll {
        let context = Context { waker: self.raw() };
        // SAFETY: X3, the tests poll a future that is not dropped yet; X4 for the context.
        unsafe { (future.poll)(future.data, &raw const context) }
    }

    /// Polls with a waker that is given up at once.
    pub(super) fn new_poll(future: &Future) -> Poll {
        let waker = Self::new();
        let polled = waker.poll(future);
        waker.give_up();
        polled
    }

    pub(super) fn give_up(self) {
        // SAFETY: X4, it has the count of `new`.
        unsafe { release(self.raw()) };
    }
}

pub(super) fn drop_future(future: &Future) -> Status {
    // SAFETY: X2, it is the one drop that is not refused.
    unsafe { (future.drop)(future.data) }
}

/// A guest of a host that has some functions of its own, and [`Fake`]'s otherwise.
pub(super) fn host(change: impl FnOnce(&mut Table)) -> (Arc<Fake>, HostRef) {
    let fake = Arc::new(Fake::default());
    let own = handle(&fake);
    // SAFETY: X1, the table is one of this library's.
    let mut table = unsafe { *own.table() };
    change(&mut table);
    // SAFETY: X1, the table is read while it is here, and its functions take this runtime.
    let handle = unsafe { RuntimeHandle::from_parts(&raw const table, own.runtime()) };
    let host = HostRef::of(handle).expect("it is of this version");
    (fake, host)
}
