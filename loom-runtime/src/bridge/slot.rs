//! The slot: one call in one block of memory, with a header of known shape first.

use std::alloc::Layout;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::Waker;

use crate::panics::drop_ignoring_panic;
use crate::pool;
use crate::sync::modelled::UnsafeCell;

use super::complete::{self, HandOver, Way};
use super::outcome::{End, Fault, Observer, Outcome, Queueing};
use super::state::{Cell, State};

/// The part of a slot that both ends and the queue use, independent of its types.
///
/// 48 bytes, so that the first two words of the observer share its first cache line.
#[repr(C)]
pub(super) struct Header {
    pub(super) state: State,
    pub(super) vtable: &'static VTable,
    /// Cell A.
    waker: UnsafeCell<MaybeUninit<Waker>>,
    /// The link until the job starts (Q1); from then on cell B, which is not used before.
    pub(super) link: UnsafeCell<Tail>,
}

impl Header {
    pub(super) fn new(queueing: Queueing, vtable: &'static VTable) -> Self {
        Self {
            state: State::new(queueing),
            vtable,
            waker: UnsafeCell::new(MaybeUninit::uninit()),
            link: UnsafeCell::new(Tail { next: None }),
        }
    }
}

/// The two fields are never in use at the same time. Each is read and written through a pointer of
/// its own type, so both have to start where the union starts.
#[repr(C)]
pub(super) union Tail {
    pub(super) next: Option<NonNull<Header>>,
    waker: ManuallyDrop<MaybeUninit<Waker>>,
}

/// Operations on the typed parts of a slot, each with the end that may call it.
///
/// The first ones are compiled for each type of observer, of which there are few. The others are
/// compiled for each closure, so they are small.
pub(super) struct VTable {
    /// Job, once it has started: turns the closure into an outcome.
    pub(super) work: unsafe fn(NonNull<Header>, Way),
    /// Job, once it has worked: hands the outcome over, with these steps.
    pub(super) finish: unsafe fn(NonNull<Header>, &mut dyn HandOver),
    /// Job, while it works: whether the observer would still let it start.
    pub(super) may_start: unsafe fn(NonNull<Header>) -> bool,
    /// Call, after `Cancelled`: drops the closure, and ends the observer.
    pub(super) cancel: unsafe fn(NonNull<Header>),

    /// Job, while it works: runs the closure, and puts its outcome in its place.
    pub(super) run: unsafe fn(NonNull<Header>),
    /// Job, while it works: drops the closure, and puts a refusal in its place.
    pub(super) refuse: unsafe fn(NonNull<Header>),
    /// Job, once it has worked: how it ended.
    pub(super) end: unsafe fn(NonNull<Header>) -> End,
    /// Job, after `Orphaned`: drops the outcome.
    pub(super) drop_outcome: unsafe fn(NonNull<Header>),
    /// Call, after `Cancelled`: drops the closure.
    pub(super) drop_closure: unsafe fn(NonNull<Header>),
    /// Call, after `Settled` or `Done`: moves the outcome to the pointer, which is to room for an
    /// `Outcome<R>`.
    pub(super) take_outcome: unsafe fn(NonNull<Header>, *mut ()),
    /// The last owner: gives the block back.
    pub(super) free: unsafe fn(NonNull<Header>),
}

/// A header, followed by the typed parts.
#[repr(C)]
pub(super) struct Slot<F, R, T> {
    observed: Observed<T>,
    payload: UnsafeCell<Payload<F, R>>,
}

/// The first part of a slot, which all slots with this type of observer share.
#[repr(C)]
pub(super) struct Observed<T> {
    header: Header,
    observer: UnsafeCell<MaybeUninit<T>>,
}

/// As in [`Tail`], each field is used through a pointer of its own type.
#[repr(C)]
union Payload<F, R> {
    closure: ManuallyDrop<F>,
    outcome: ManuallyDrop<Outcome<R>>,
}

/// The state of a slot.
///
/// After the last step of an end the slot may be freed. So the reference is used for one step and
/// not kept; it refers to the atomic only.
///
/// # Safety
///
/// B1: the slot has not been freed, and the caller's end has not left it.
pub(super) unsafe fn state<'a>(header: NonNull<Header>) -> &'a State {
    let state = {
        // SAFETY: B1, by contract it exists.
        unsafe { &raw const (*header.as_ptr()).state }
    };
    // SAFETY: B1, as above; it is an atomic, which any thread may access.
    unsafe { &*state }
}

/// Puts a waker into an empty cell.
///
/// # Safety
///
/// B1, B3: the slot is alive, and the caller owns the cell, which is empty; cell B only after the
/// job has started.
pub(super) unsafe fn put_waker(header: NonNull<Header>, cell: Cell, waker: Waker) {
    // SAFETY: B1, by contract it exists.
    let header = unsafe { header.as_ref() };
    match cell {
        Cell::A => header.waker.with_mut(|cell| {
            // SAFETY: B3, by contract no other thread uses the cell.
            unsafe { cell.cast::<Waker>().write(waker) };
        }),
        Cell::B => header.link.with_mut(|cell| {
            // SAFETY: B3, as for cell A; the job has started, so the field is not a link any more.
            unsafe { cell.cast::<Waker>().write(waker) };
        }),
    }
}

/// Takes the waker out of a cell that holds one.
///
/// # Safety
///
/// B1, B3: the slot exists, and the caller owns the cell, which holds a waker.
pub(super) unsafe fn take_waker(header: NonNull<Header>, cell: Cell) -> Waker {
    // SAFETY: B1, by contract it exists.
    let header = unsafe { header.as_ref() };
    match cell {
        Cell::A => header.waker.with_mut(|cell| {
            // SAFETY: B3, by contract it holds a waker, which is the caller's.
            unsafe { cell.cast::<Waker>().read() }
        }),
        Cell::B => header.link.with_mut(|cell| {
            // SAFETY: B3, as for cell A.
            unsafe { cell.cast::<Waker>().read() }
        }),
    }
}

impl<T: Observer> Observed<T> {
    /// # Safety
    ///
    /// B1: the slot was made with this observer, and has not been given back.
    unsafe fn from_header<'a>(header: NonNull<Header>) -> &'a Self {
        // SAFETY: B1, the slot starts with this part, and this part with the header; all that changes
        // is in cells.
        unsafe { header.cast::<Self>().as_ref() }
    }

    /// # Safety
    ///
    /// B1: the slot has this observer, and the caller owns it; it was not taken yet.
    pub(super) unsafe fn may_start(header: NonNull<Header>) -> bool {
        // SAFETY: B1, by contract.
        let slot = unsafe { Self::from_header(header) };
        slot.observer.with(|observer| {
            // SAFETY: B1, the slot was made with an observer, which is still in it.
            let observer = unsafe { &*observer.cast::<T>() };
            observer.may_start()
        })
    }

    /// # Safety
    ///
    /// B1: the slot has this observer, and the caller owns it; it is moved out.
    pub(super) unsafe fn take_observer(header: NonNull<Header>) -> T {
        // SAFETY: B1, by contract.
        let slot = unsafe { Self::from_header(header) };
        slot.observer.with_mut(|observer| {
            // SAFETY: B1, the slot was made with an observer, which is taken once.
            unsafe { observer.cast::<T>().read() }
        })
    }
}

impl<F, R, T> Slot<F, R, T>
where
    F: FnOnce() -> R,
    T: Observer,
{
    const VTABLE: &'static VTable = &VTable {
        work: complete::work::<T>,
        finish: complete::finish::<T>,
        may_start: Observed::<T>::may_start,
        cancel: complete::cancel::<T>,
        run: Self::run,
        refuse: Self::refuse,
        end: Self::end,
        drop_outcome: Self::drop_outcome,
        drop_closure: Self::drop_closure,
        take_outcome: Self::take_outcome,
        free: Self::free,
    };

    /// A new slot, which the caller owns.
    pub(super) fn make(closure: F, observer: T, queueing: Queueing) -> NonNull<Header> {
        let slot = pool::take(Layout::new::<Self>()).cast::<Self>();
        let value = Self {
            observed: Observed {
                header: Header::new(queueing, Self::VTABLE),
                observer: UnsafeCell::new(MaybeUninit::new(observer)),
            },
            payload: UnsafeCell::new(Payload { closure: ManuallyDrop::new(closure) }),
        };
        // SAFETY: B1, the block is new, has no other owner, and has this layout.
        unsafe { slot.write(value) };
        slot.cast()
    }

    /// # Safety
    ///
    /// B1: the slot was made with this type, and has not been given back.
    unsafe fn from_header<'a>(header: NonNull<Header>) -> &'a Self {
        // SAFETY: B1, the header is the slot's first field; all parts that change are in cells.
        unsafe { header.cast::<Self>().as_ref() }
    }

    /// # Safety
    ///
    /// B1: the slot is of this type, and the caller owns the closure, which becomes an outcome.
    unsafe fn run(header: NonNull<Header>) {
        // SAFETY: B1, by contract.
        let closure = unsafe { Self::take_closure(header) };
        let outcome = catch_unwind(AssertUnwindSafe(closure)).map_err(Fault::Panicked);
        // SAFETY: B1, by contract; the closure was moved out.
        unsafe { Self::put_outcome(header, outcome) };
    }

    /// # Safety
    ///
    /// B1: the slot is of this type, and the caller owns the closure, which becomes an outcome.
    unsafe fn refuse(header: NonNull<Header>) {
        // SAFETY: B1, by contract.
        unsafe { Self::drop_closure(header) };
        // SAFETY: B1, by contract; the closure was moved out.
        unsafe { Self::put_outcome(header, Err(Fault::Refused)) };
    }

    /// How the job ended, by its outcome, which stays in the slot.
    ///
    /// # Safety
    ///
    /// B1: the slot is of this type, it holds the outcome, and the caller owns the outcome.
    unsafe fn end(header: NonNull<Header>) -> End {
        // SAFETY: B1, by contract.
        let slot = unsafe { Self::from_header(header) };
        slot.payload.with(|payload| {
            // SAFETY: B1, the slot holds the outcome.
            match unsafe { &*payload.cast::<Outcome<R>>() } {
                Ok(_) => End::Returned,
                Err(Fault::Panicked(_)) => End::Panicked,
                Err(Fault::Refused) => End::Refused,
            }
        })
    }

    /// # Safety
    ///
    /// B1: the slot is of this type, and the caller owns the outcome, which is dropped.
    unsafe fn drop_outcome(header: NonNull<Header>) {
        let mut outcome = MaybeUninit::<Outcome<R>>::uninit();
        // SAFETY: B1, by contract this function owns the outcome; `outcome` has room for it.
        unsafe { Self::take_outcome(header, outcome.as_mut_ptr().cast()) };
        drop_ignoring_panic({
            // SAFETY: B1, `take_outcome` has just written it.
            unsafe { outcome.assume_init() }
        });
    }

    /// # Safety
    ///
    /// B1: the slot is of this type, and the caller owns the closure, which is dropped.
    unsafe fn drop_closure(header: NonNull<Header>) {
        // SAFETY: B1, by contract.
        drop_ignoring_panic(unsafe { Self::take_closure(header) });
    }

    /// # Safety
    ///
    /// B1: the slot is of this type, and the caller owns the closure, which is moved out.
    unsafe fn take_closure(header: NonNull<Header>) -> F {
        // SAFETY: B1, by contract.
        let slot = unsafe { Self::from_header(header) };
        slot.payload.with_mut(|payload| {
            // SAFETY: B1, the slot was made with a closure, which is taken once.
            unsafe { payload.cast::<F>().read() }
        })
    }

    /// # Safety
    ///
    /// B1: the slot is of this type, and the caller owns the payload, which is empty.
    unsafe fn put_outcome(header: NonNull<Header>, outcome: Outcome<R>) {
        // SAFETY: B1, by contract.
        let slot = unsafe { Self::from_header(header) };
        slot.payload.with_mut(|payload| {
            // SAFETY: B1, no other thread uses the payload, and the closure was moved out.
            unsafe { payload.cast::<Outcome<R>>().write(outcome) };
        });
    }

    /// # Safety
    ///
    /// B1: the slot is of this type, and the caller owns the outcome; `room` has room for it.
    unsafe fn take_outcome(header: NonNull<Header>, room: *mut ()) {
        // SAFETY: B1, by contract.
        let slot = unsafe { Self::from_header(header) };
        slot.payload.with_mut(|payload| {
            // SAFETY: B1, the slot holds the outcome, which is moved out once.
            let outcome = unsafe { payload.cast::<Outcome<R>>().read() };
            // SAFETY: B1, by contract there is room.
            unsafe { room.cast::<Outcome<R>>().write(outcome) };
        });
    }

    /// # Safety
    ///
    /// B1: the slot is of this type and empty, and the caller is its last owner.
    unsafe fn free(header: NonNull<Header>) {
        let slot = header.cast::<Self>();
        {
            // SAFETY: B1, by contract.
            let slot = unsafe { Self::from_header(header) };
            // Each end has done with all parts before this. The model checker sees that here.
            slot.observed.header.waker.with_mut(|_| ());
            slot.observed.header.link.with_mut(|_| ());
            slot.observed.observer.with_mut(|_| ());
            slot.payload.with_mut(|_| ());
        }
        // SAFETY: B1, the slot is empty, and its fields drop no contents. It is dropped for the
        // cells, whose end the model checker has to see.
        unsafe { slot.drop_in_place() };
        // SAFETY: B1 here, P1, P3, P4 of the pool: the block came from it under this layout.
        unsafe { pool::give(slot.cast(), Layout::new::<Self>()) };
    }
}
