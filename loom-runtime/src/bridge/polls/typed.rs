//! The part of a cell that depends on the type of its future: one future in one block of memory.

use std::alloc::Layout;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use crate::panics::{drop_ignoring_panic, ignore_panic};
use crate::pool;
use crate::sync::modelled::UnsafeCell;

use super::super::outcome::{End, Fault, Outcome};
use super::super::slot::{Header, VTable};
use super::cell::{Operations, Owner, Shared, release};
use super::host::Host;
use super::turn;

#[repr(C)]
struct Cell<F: Future, T: Host> {
    shared: Shared<T>,
    payload: UnsafeCell<Payload<F>>,
}

/// Each field is used through a pointer of its own type.
#[repr(C)]
union Payload<F: Future> {
    future: ManuallyDrop<F>,
    outcome: ManuallyDrop<Outcome<F::Output>>,
}

/// A new cell, whose only reference is the caller's.
pub(super) fn make<F, T>(future: F) -> NonNull<Header>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    T: Host,
{
    let cell = pool::take(Layout::new::<Cell<F, T>>()).cast::<Cell<F, T>>();
    let value = Cell::<F, T> {
        shared: Shared::new(Cell::<F, T>::OPERATIONS),
        payload: UnsafeCell::new(Payload { future: ManuallyDrop::new(future) }),
    };
    // SAFETY: C8, the block is new, has no other owner, and has this layout.
    unsafe { cell.write(value) };
    cell.cast()
}

impl<F: Future, T: Host> Cell<F, T> {
    const OPERATIONS: Operations = Operations {
        vtable: Self::VTABLE,
        poll: Self::poll,
        poll_through: Self::poll_through,
        fail: Self::fail,
        free: Self::free,
    };

    /// As a slot's, with the future for the closure. `free` is called when both ends of a job have left:
    /// it gives the job's reference back.
    const VTABLE: &'static VTable = &VTable {
        work: turn::work::<T>,
        finish: turn::finish::<T>,
        may_start: turn::may_start::<T>,
        cancel: turn::cancel::<T>,
        run: Self::run,
        refuse: Self::refuse,
        end: Self::end,
        drop_outcome: Self::drop_outcome,
        drop_closure: Self::drop_future,
        take_outcome: Self::take_outcome,
        free: release::<T>,
    };

    /// # Safety
    ///
    /// C8: the cell was made with this type, and the caller has a reference.
    unsafe fn of<'a>(header: NonNull<Header>) -> &'a Self {
        // SAFETY: C8, the header is the cell's first field; all parts that change are in cells.
        unsafe { header.cast::<Self>().as_ref() }
    }

    /// # Safety
    ///
    /// C1: the caller owns the turn, and the future is in the cell.
    unsafe fn poll(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        // SAFETY: C1, by contract.
        let polled = catch_unwind(AssertUnwindSafe(|| unsafe { Self::poll_in_place(header, cx) }));
        let outcome = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(Fault::Panicked(payload)),
        };
        // SAFETY: C1, by contract.
        unsafe { Self::ends(header, outcome) };
        true
    }

    /// # Safety
    ///
    /// C1: the caller owns the turn, and the future is in the cell.
    unsafe fn poll_through(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        // SAFETY: C1, by contract.
        let polled = unsafe { Self::poll_in_place(header, cx) };
        let Poll::Ready(value) = polled else { return false };
        // SAFETY: C1, by contract.
        unsafe { Self::ends(header, Ok(value)) };
        true
    }

    /// # Safety
    ///
    /// C1: the caller owns the turn, and the future is in the cell.
    #[inline]
    unsafe fn poll_in_place(header: NonNull<Header>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: C1, by contract.
        let cell = unsafe { Self::of(header) };
        cell.payload.with_mut(|payload| {
            // SAFETY: C1, the future is in the cell.
            let future = unsafe { &mut *payload.cast::<F>() };
            // SAFETY: C1, it stays there until it is dropped in place.
            let future = unsafe { Pin::new_unchecked(future) };
            future.poll(cx)
        })
    }

    /// Drops the future, and puts the outcome into its place.
    ///
    /// # Safety
    ///
    /// C1: the caller owns the turn, and the future is in the cell.
    unsafe fn ends(header: NonNull<Header>, outcome: Outcome<F::Output>) {
        // SAFETY: C1, by contract.
        unsafe { Self::drop_future(header) };
        // SAFETY: C1, as above; the future was dropped.
        unsafe { Self::put_outcome(header, outcome) };
    }

    /// # Safety
    ///
    /// C1: the caller owns the turn, and the future is in the cell.
    unsafe fn run(header: NonNull<Header>) {
        // SAFETY: C1, by contract.
        let _is_ended = unsafe { Owner::<T>::of(header) }.poll_woken();
    }

    /// # Safety
    ///
    /// C1: the caller owns the turn, and the future is in the cell.
    unsafe fn fail(header: NonNull<Header>, fault: Fault) {
        // SAFETY: C1, by contract.
        unsafe { Self::ends(header, Err(fault)) };
    }

    /// # Safety
    ///
    /// C1: the caller owns the turn, and the future is in the cell.
    unsafe fn refuse(header: NonNull<Header>) {
        // SAFETY: C1, by contract.
        unsafe { Self::fail(header, Fault::Refused) };
    }

    /// # Safety
    ///
    /// C1: the caller owns the turn, and the place of the outcome is empty.
    unsafe fn put_outcome(header: NonNull<Header>, outcome: Outcome<F::Output>) {
        // SAFETY: C1, by contract.
        let cell = unsafe { Self::of(header) };
        cell.payload.with_mut(|payload| {
            // SAFETY: C1, by contract.
            unsafe { payload.cast::<Outcome<F::Output>>().write(outcome) };
        });
    }

    /// # Safety
    ///
    /// C1: the caller owns the future, which is dropped.
    unsafe fn drop_future(header: NonNull<Header>) {
        // SAFETY: C1, by contract.
        let cell = unsafe { Self::of(header) };
        cell.payload.with_mut(|payload| {
            // SAFETY: C1, the future is in the cell, and is dropped once, in its place.
            let future = unsafe { &mut *payload.cast::<ManuallyDrop<F>>() };
            // SAFETY: C1, as above.
            ignore_panic(|| unsafe { ManuallyDrop::drop(future) });
        });
    }

    /// # Safety
    ///
    /// C1: the caller owns the outcome, which stays in the cell.
    unsafe fn end(header: NonNull<Header>) -> End {
        // SAFETY: C1, by contract.
        let cell = unsafe { Self::of(header) };
        // SAFETY: C1, the outcome is in the cell.
        cell.payload.with(|payload| match unsafe { &*payload.cast::<Outcome<F::Output>>() } {
            Ok(_) => End::Returned,
            Err(Fault::Panicked(_)) => End::Panicked,
            Err(Fault::Refused) => End::Refused,
        })
    }

    /// # Safety
    ///
    /// C1: the caller owns the outcome, which is dropped.
    unsafe fn drop_outcome(header: NonNull<Header>) {
        let mut outcome = MaybeUninit::<Outcome<F::Output>>::uninit();
        // SAFETY: C1, by contract; there is room for it.
        unsafe { Self::take_outcome(header, outcome.as_mut_ptr().cast()) };
        // SAFETY: C1, it has just been written.
        drop_ignoring_panic(unsafe { outcome.assume_init() });
    }

    /// # Safety
    ///
    /// C1: the caller owns the outcome; `room` has room for it.
    unsafe fn take_outcome(header: NonNull<Header>, room: *mut ()) {
        // SAFETY: C1, by contract.
        let cell = unsafe { Self::of(header) };
        cell.payload.with_mut(|payload| {
            // SAFETY: C1, the outcome is in the cell, and is moved out once.
            let outcome = unsafe { payload.cast::<Outcome<F::Output>>().read() };
            // SAFETY: C1, by contract there is room.
            unsafe { room.cast::<Outcome<F::Output>>().write(outcome) };
        });
    }

    /// # Safety
    ///
    /// C8: the cell is empty, and nobody else knows it.
    unsafe fn free(header: NonNull<Header>) {
        {
            // SAFETY: C8, by contract.
            let cell = unsafe { Self::of(header) };
            // Everybody has done with all parts before this. The model checker sees that here.
            cell.shared.is_over();
            cell.payload.with_mut(|_| ());
        }
        let cell = header.cast::<Self>();
        // SAFETY: C8, the cell is empty, and its fields drop no contents. It is dropped for the cells, whose
        // end the model checker has to see.
        unsafe { cell.drop_in_place() };
        // SAFETY: C8 here, P1, P3, P4 of the pool: the block came from it under this layout.
        unsafe { pool::give(cell.cast(), Layout::new::<Self>()) };
    }
}
