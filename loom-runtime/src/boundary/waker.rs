//! Wakers.

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use loom_abi::{Context, WakerTable};

use crate::panics::{drop_ignoring_panic, ignore_panic};
use crate::sync::Arc;

use super::ledger::{self, Entry};
use super::pin;

/// A waker of this side, as the other sees it: it begins with its table (X4).
#[repr(C)]
struct Lowered {
    raw: loom_abi::Waker,
    /// Nothing once it is being dropped.
    waker: ManuallyDrop<Waker>,
    _entry: Entry,
}

// SAFETY: X4: the pointer in it is to a static, and a waker may be used on any thread.
unsafe impl Send for Lowered {}
// SAFETY: X4, as above.
unsafe impl Sync for Lowered {}

impl Drop for Lowered {
    fn drop(&mut self) {
        pin::stay();
        // SAFETY: X9, it is dropped here and nowhere else.
        let waker = unsafe { ManuallyDrop::take(&mut self.waker) };
        // Foreign code may be what gives the last count back (X5).
        drop_ignoring_panic(waker);
    }
}

static TABLE: WakerTable = WakerTable { retain, release, wake };

unsafe extern "C" fn retain(raw: *const loom_abi::Waker) {
    // SAFETY: X4, it is one of ours, and whoever has the pointer has a count.
    unsafe { Arc::increment_strong_count(raw.cast::<Lowered>()) };
}

unsafe extern "C" fn release(raw: *const loom_abi::Waker) {
    // SAFETY: X4, the count is the caller's, who gives it up.
    unsafe { Arc::decrement_strong_count(raw.cast::<Lowered>()) };
}

unsafe extern "C" fn wake(raw: *const loom_abi::Waker) {
    // SAFETY: X4, the caller has a count while this runs.
    let lowered = unsafe { &*raw.cast::<Lowered>() };
    ignore_panic(|| lowered.waker.wake_by_ref());
}

/// A waker that was lowered, with a count of it.
pub(super) struct LoweredWaker(Arc<Lowered>);

impl LoweredWaker {
    /// The waker of this poll as the other side is to see it; `kept` has the one of last time.
    pub(super) fn of<'a>(waker: &'a Waker, kept: &'a mut Option<Self>) -> *const loom_abi::Waker {
        if ptr::eq(waker.vtable(), &raw const RAISED) {
            // It came from another side, and goes on as it came.
            return waker.data().cast();
        }
        if !kept.as_ref().is_some_and(|kept| kept.0.waker.will_wake(waker)) {
            *kept = None;
        }
        let LoweredWaker(lowered) = kept.get_or_insert_with(|| Self::new(waker.clone()));
        Arc::as_ptr(lowered).cast()
    }

    fn new(waker: Waker) -> Self {
        Self(Arc::new(Lowered {
            raw: loom_abi::Waker { table: &raw const TABLE },
            waker: ManuallyDrop::new(waker),
            _entry: ledger::WAKERS.enter(),
        }))
    }
}

/// Wakers of another side, which are pointers to what that side counts.
static RAISED: RawWakerVTable = RawWakerVTable::new(
    |raw| {
        // SAFETY: X4, the waker that is cloned has a count, or is lent.
        unsafe { call(raw, |table| table.retain) };
        RawWaker::new(raw, &RAISED)
    },
    |raw| {
        // SAFETY: X4, the waker's count is there until the next line.
        unsafe { call(raw, |table| table.wake) };
        // SAFETY: X4, the waker is used up, and its count with it.
        unsafe { call(raw, |table| table.release) };
    },
    // SAFETY: X4, the waker has a count, or is lent.
    |raw| unsafe { call(raw, |table| table.wake) },
    // SAFETY: X4, the waker goes, and its count with it.
    |raw| unsafe { call(raw, |table| table.release) },
);

type Function = unsafe extern "C" fn(*const loom_abi::Waker);

/// Calls one of its functions with a waker.
///
/// # Safety
///
/// X4: a pointer to a waker that is counted, or lent; with `release`, a count that is given up.
unsafe fn call(raw: *const (), function: fn(&WakerTable) -> Function) {
    let raw = raw.cast::<loom_abi::Waker>();
    // SAFETY: X4, it begins with its table.
    let table = unsafe { (*raw).table };
    // SAFETY: X4, which is there as long as the waker.
    let function = function(unsafe { &*table });
    // SAFETY: X4, as by contract.
    unsafe { function(raw) };
}

/// Calls with the waker of a poll.
///
/// # Safety
///
/// X4: the context is one that this poll was given.
pub(super) unsafe fn with_waker<R>(context: *const Context, f: impl FnOnce(&Waker) -> R) -> R {
    // SAFETY: X4, it is good for the poll.
    let raw = unsafe { (*context).waker };
    // SAFETY: X4, and so is what it lends.
    let table = unsafe { (*raw).table };
    if ptr::eq(table, &raw const TABLE) {
        // SAFETY: X4, only what was lowered here has this table.
        let lowered = unsafe { &*raw.cast::<Lowered>() };
        return f(&lowered.waker);
    }
    // SAFETY: X4, these are the functions for such a pointer.
    let waker = unsafe { Waker::from_raw(RawWaker::new(raw.cast(), &RAISED)) };
    // It is lent, so there is no count to give back.
    f(&ManuallyDrop::new(waker))
}

#[cfg(all(test, not(loom_model), feature = "plugin", feature = "plugin-host"))]
pub(super) mod foreign {
    //! What another library's copy of this file would be: another table, so that nothing is taken
    //! for one's own.

    use super::*;

    static OTHER: WakerTable = WakerTable { retain, release, wake };

    /// As [`LoweredWaker::of`] of a first poll there, with a count.
    pub(in super::super) struct Foreign(LoweredWaker);

    impl Foreign {
        pub(in super::super) fn lower(waker: Waker) -> Self {
            let mut lowered = LoweredWaker::new(waker);
            let inner = Arc::get_mut(&mut lowered.0).expect("it was just made");
            inner.raw.table = &raw const OTHER;
            Self(lowered)
        }

        pub(in super::super) fn with<R>(&self, f: impl FnOnce(&Waker) -> R) -> R {
            let context = Context { waker: Arc::as_ptr(&self.0.0).cast() };
            // SAFETY: X4, it is there during the call.
            unsafe { with_waker(&raw const context, f) }
        }

        pub(in super::super) fn counts(&self) -> usize {
            Arc::strong_count(&self.0.0)
        }
    }
}
