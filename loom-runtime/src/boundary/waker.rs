//! Wakers that cross the boundary.

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use loom_abi::{Context, WakerTable};

use crate::panics::{drop_ignoring_panic, ignore_panic};
use crate::sync::Arc;

use super::ledger::{self, Entry};
use super::pin;

/// A waker of this side, as the other side sees it: it begins with its table (X4).
#[repr(C)]
struct Lowered {
    raw: loom_abi::Waker,
    /// Taken out while this is dropped.
    waker: ManuallyDrop<Waker>,
    _entry: Entry,
}

// SAFETY: X4: its pointer is to a static, and a waker may be used on any thread.
unsafe impl Send for Lowered {}
// SAFETY: X4, as above.
unsafe impl Sync for Lowered {}

impl Drop for Lowered {
    fn drop(&mut self) {
        // SAFETY: X9, it is dropped here and nowhere else.
        let waker = unsafe { ManuallyDrop::take(&mut self.waker) };
        // The other side's code may release the last count, so no panic may leave this (X5).
        drop_ignoring_panic(waker);
    }
}

static TABLE: WakerTable = WakerTable { retain, release, wake };

unsafe extern "C" fn retain(raw: *const loom_abi::Waker) {
    // SAFETY: X4, the waker was lowered here, and the caller has a count.
    unsafe { Arc::increment_strong_count(raw.cast::<Lowered>()) };
}

unsafe extern "C" fn release(raw: *const loom_abi::Waker) {
    // Before the count is given up: another thread may release the last one meanwhile.
    pin::stay();
    // SAFETY: X4, the caller has this count and gives it up.
    unsafe { Arc::decrement_strong_count(raw.cast::<Lowered>()) };
}

unsafe extern "C" fn wake(raw: *const loom_abi::Waker) {
    // SAFETY: X4, the caller has a count while this runs.
    let lowered = unsafe { &*raw.cast::<Lowered>() };
    ignore_panic(|| lowered.waker.wake_by_ref());
}

/// A lowered waker, with one count of it.
pub(super) struct LoweredWaker(Arc<Lowered>);

impl LoweredWaker {
    /// Lowers the waker of this poll; `kept` has the lowered waker of the last poll.
    pub(super) fn of<'a>(waker: &'a Waker, kept: &'a mut Option<Self>) -> *const loom_abi::Waker {
        if ptr::eq(waker.vtable(), &raw const RAISED) {
            // It came from another side, and is passed on unchanged.
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

/// Wakers of another side: pointers to objects that the other side counts.
static RAISED: RawWakerVTable = RawWakerVTable::new(
    |raw| {
        // SAFETY: X4, the waker that is cloned has a count, or is lent.
        unsafe { call(raw, |table| table.retain) };
        RawWaker::new(raw, &RAISED)
    },
    |raw| {
        // SAFETY: X4, the waker has its count until the next line.
        unsafe { call(raw, |table| table.wake) };
        // SAFETY: X4, the waker is used up, and gives up its count.
        unsafe { call(raw, |table| table.release) };
    },
    // SAFETY: X4, the waker has a count, or is lent.
    |raw| unsafe { call(raw, |table| table.wake) },
    // SAFETY: X4, the waker is dropped, and gives up its count.
    |raw| unsafe { call(raw, |table| table.release) },
);

type Function = unsafe extern "C" fn(*const loom_abi::Waker);

/// Calls one function of a waker's table with that waker.
///
/// # Safety
///
/// X4: `raw` points to a waker that is counted or lent; for `release`, the caller gives up a count.
unsafe fn call(raw: *const (), function: fn(&WakerTable) -> Function) {
    let raw = raw.cast::<loom_abi::Waker>();
    // SAFETY: X4, it begins with its table.
    let table = unsafe { (*raw).table };
    // SAFETY: X4, the table is valid for as long as the waker.
    let function = function(unsafe { &*table });
    // SAFETY: X4, by this function's contract.
    unsafe { function(raw) };
}

/// Calls `f` with the waker of a poll.
///
/// # Safety
///
/// X4: `context` is the context that this poll received.
pub(super) unsafe fn with_waker<R>(context: *const Context, f: impl FnOnce(&Waker) -> R) -> R {
    // SAFETY: X4, the context is valid for the poll.
    let raw = unsafe { (*context).waker };
    // SAFETY: X4, the waker that it lends is valid for the poll, too.
    let table = unsafe { (*raw).table };
    if ptr::eq(table, &raw const TABLE) {
        // SAFETY: X4, only what was lowered here has this table.
        let lowered = unsafe { &*raw.cast::<Lowered>() };
        return f(&lowered.waker);
    }
    // SAFETY: X4, `RAISED` has the functions for such a pointer.
    let waker = unsafe { Waker::from_raw(RawWaker::new(raw.cast(), &RAISED)) };
    // The waker is lent, so it has no count to release.
    f(&ManuallyDrop::new(waker))
}

#[cfg(all(test, not(loom_model), feature = "plugin", feature = "plugin-host"))]
pub(super) mod foreign {
    //! Stands for another library's copy of this file: it has another table, so its wakers are not
    //! taken for wakers that were lowered here.

    use super::*;

    static OTHER: WakerTable = WakerTable { retain, release, wake };

    /// A waker as [`LoweredWaker::of`] would lower it in the other library, with one count.
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
            // SAFETY: X4, the waker is valid during the call.
            unsafe { with_waker(&raw const context, f) }
        }

        pub(in super::super) fn counts(&self) -> usize {
            Arc::strong_count(&self.0.0)
        }
    }
}
