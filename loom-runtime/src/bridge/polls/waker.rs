//! Wakers of a cell, each of which has a reference (C8).

use std::ptr::{self, NonNull};
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::panics::KeptWaker;

use super::super::slot::Header;
use super::cell::{raw_waker, release, shared};
use super::host::Host;
use super::turn;

/// What wakers of cells with this host are called by.
pub(crate) const fn waker_table<T: Host>() -> RawWakerVTable {
    RawWakerVTable::new(clone::<T>, wake::<T>, wake_by_ref::<T>, drop_waker::<T>)
}

fn header_of(data: *const ()) -> NonNull<Header> {
    let Some(header) = NonNull::new(data.cast_mut().cast()) else {
        unreachable!("the data of a cell's waker is the cell")
    };
    header
}

unsafe fn clone<T: Host>(data: *const ()) -> RawWaker {
    let header = header_of(data);
    // SAFETY: C8, the waker that is cloned has a reference.
    unsafe { shared::<T>(header) }.word.hold();
    raw_waker::<T>(header)
}

unsafe fn wake<T: Host>(data: *const ()) {
    // SAFETY: C8, the waker has a reference.
    unsafe { wake_by_ref::<T>(data) };
    // SAFETY: C8, the waker is used up, and gives its reference back.
    unsafe { release::<T>(header_of(data)) };
}

unsafe fn wake_by_ref<T: Host>(data: *const ()) {
    // SAFETY: C8, the waker has a reference.
    let woken = unsafe { turn::wake::<T>(header_of(data)) };
    if let Some(waker) = woken {
        wake_task::<T>(waker);
    }
}

unsafe fn drop_waker<T: Host>(data: *const ()) {
    // SAFETY: C8, the waker gives its reference back.
    unsafe { release::<T>(header_of(data)) };
}

/// Wakes the task of a handle. Where that is one more cell, its own task is woken after that, not within it.
pub(super) fn wake_task<T: Host>(mut waker: Waker) {
    while ptr::eq(waker.vtable(), T::table()) {
        // SAFETY: C8, a waker with this table is one of a cell with this host, and has a reference.
        let next = unsafe { turn::wake::<T>(header_of(waker.data())) };
        match next {
            Some(next) => waker = next,
            None => return,
        }
    }
    KeptWaker::from(waker).wake();
}
