//! The cell: what does not depend on the type of its future, with the header of a slot first.

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::task::{Context, RawWaker, Waker};

use crate::panics::ignore_panic;
use crate::sync::modelled::UnsafeCell;

use super::super::outcome::{End, Fault, Queueing};
use super::super::slot::{Header, VTable};
use super::super::state::Cell as Place;
use super::depth;
use super::host::Host;
use super::word::Word;

/// The part of a cell that does not depend on its future. The header comes first, so that a pointer
/// to it is one to the cell.
#[repr(C)]
pub(super) struct Shared<T: Host> {
    header: Header,
    pub(super) word: Word,
    operations: Operations,
    /// Places A and B (C4).
    wakers: [UnsafeCell<MaybeUninit<Waker>>; 2],
    host: UnsafeCell<MaybeUninit<T>>,
    turn: UnsafeCell<MaybeUninit<T::Turn>>,
    /// What the job has done. The job's.
    pub(super) ran: UnsafeCell<Ran>,
}

/// Operations on the typed parts of a cell, each with who may call it.
pub(super) struct Operations {
    /// Those of a job.
    pub(super) vtable: &'static VTable,
    /// Owner: polls the future, and is true once the outcome is in its place.
    pub(super) poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// As `poll`, but a panic of the future goes on, and the future stays.
    pub(super) poll_through: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Owner: drops the future, and puts this fault into its place.
    pub(super) fail: unsafe fn(NonNull<Header>, Fault),
    /// The last owner of the empty cell: gives the block back.
    pub(super) free: unsafe fn(NonNull<Header>),
}

impl<T: Host> Shared<T> {
    /// A cell that its handle alone knows.
    pub(super) fn new(operations: Operations) -> Self {
        Self {
            header: Header::new(Queueing::default(), operations.vtable),
            word: Word::new(),
            operations,
            wakers: [0, 1].map(|_| UnsafeCell::new(MaybeUninit::uninit())),
            host: UnsafeCell::new(MaybeUninit::uninit()),
            turn: UnsafeCell::new(MaybeUninit::uninit()),
            ran: UnsafeCell::new(Ran::Nothing),
        }
    }

    /// Everybody has done with all parts before this. The model checker sees that here.
    pub(super) fn is_over(&self) {
        self.wakers.iter().for_each(|waker| waker.with_mut(|_| ()));
        self.host.with_mut(|_| ());
        self.turn.with_mut(|_| ());
        self.ran.with_mut(|_| ());
    }
}

/// What a job has done with the turn that it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// The future was given up, so it took no turn.
    Nothing,
    /// A poll was pending.
    Pending,
    /// The outcome is in the cell.
    Ended,
}

/// The turn of a cell. The thread that has this value owns the turn (C1), and ends it by one step.
pub(super) struct Owner<T: Host> {
    header: NonNull<Header>,
    host: PhantomData<T>,
}

/// A waker of this cell, which has no reference yet (C8).
pub(super) fn raw_waker<T: Host>(header: NonNull<Header>) -> RawWaker {
    RawWaker::new(header.as_ptr().cast_const().cast(), T::table())
}

/// # Safety
///
/// C8: the caller has a reference, and the host of the cell is a `T`. What is returned is not used after
/// the reference was given back.
#[inline]
pub(super) unsafe fn shared<'a, T: Host>(header: NonNull<Header>) -> &'a Shared<T> {
    // SAFETY: C8, the cell starts with this part, and this part with the header; all that changes is in cells.
    unsafe { header.cast::<Shared<T>>().as_ref() }
}

impl<T: Host> Owner<T> {
    /// # Safety
    ///
    /// C1, C8: the caller owns the turn, and has a reference for as long as it does.
    #[inline]
    pub(super) unsafe fn of(header: NonNull<Header>) -> Self {
        Self { header, host: PhantomData }
    }

    pub(super) fn header(&self) -> NonNull<Header> {
        self.header
    }

    #[inline]
    pub(super) fn shared(&self) -> &Shared<T> {
        // SAFETY: C8, an owner has a reference.
        unsafe { shared(self.header) }
    }

    pub(super) fn vtable(&self) -> &'static VTable {
        // SAFETY: C8, as above.
        unsafe { self.header.as_ref() }.vtable
    }

    /// Calls `f` with the host alone: also while the data of the turn is in use, as in a poll.
    pub(super) fn of_host<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        self.shared().host.with(|host| {
            // SAFETY: C1, the owner's, and shared before there was an owner.
            f(unsafe { &*host.cast::<T>() })
        })
    }

    /// Calls `f` with the host and the data of the turn.
    pub(super) fn with_host<R>(&mut self, f: impl FnOnce(&T, &mut T::Turn) -> R) -> R {
        let shared = self.shared();
        shared.host.with(|host| {
            shared.turn.with_mut(|turn| {
                // SAFETY: C1, the owner's, and shared before there was an owner.
                let host = unsafe { &*host.cast::<T>() };
                // SAFETY: C1, as above.
                f(host, unsafe { &mut *turn.cast::<T::Turn>() })
            })
        })
    }

    /// Polls the future; true once the outcome is in its place. A panic of the future is its outcome.
    #[inline]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let poll = self.shared().operations.poll;
        // SAFETY: C1, the owner's.
        unsafe { poll(self.header, cx) }
    }

    /// [`poll`](Self::poll), but a panic of the future goes on.
    #[inline]
    pub(super) fn poll_through(&mut self, cx: &mut Context<'_>) -> bool {
        let poll = self.shared().operations.poll_through;
        // SAFETY: C1, the owner's.
        unsafe { poll(self.header, cx) }
    }

    /// [`poll`](Self::poll), with a waker of the cell.
    pub(super) fn poll_woken(&mut self) -> bool {
        // SAFETY: C8, the functions of the table take such data; this waker is not dropped, so it gives no
        // reference back. The owner has one for as long.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw_waker::<T>(self.header)) });
        self.poll(&mut Context::from_waker(&waker))
    }

    /// Drops the future, and puts this fault into its place.
    pub(super) fn fail(&mut self, fault: Fault) {
        let fail = self.shared().operations.fail;
        // SAFETY: C1, the owner's.
        unsafe { fail(self.header, fault) };
    }

    /// How the future has ended, by the outcome.
    pub(super) fn how(&self) -> End {
        // SAFETY: C1, the owner's, and the outcome is in its place.
        unsafe { (self.vtable().end)(self.header) }
    }

    /// Drops the outcome.
    pub(super) fn drop_outcome(&mut self) {
        // SAFETY: C1, as above.
        unsafe { (self.vtable().drop_outcome)(self.header) };
    }

    /// Drops the future.
    pub(super) fn drop_future(&mut self) {
        // SAFETY: C1, the owner's.
        unsafe { (self.vtable().drop_closure)(self.header) };
    }

    /// Moves the host out, and the data of the turn.
    pub(super) fn take_host(&mut self) -> (T, T::Turn) {
        let shared = self.shared();
        // SAFETY: C1, the owner's, which takes them once, at the end.
        let host = shared.host.with_mut(|host| unsafe { host.cast::<T>().read() });
        // SAFETY: C1, as above.
        let turn = shared.turn.with_mut(|turn| unsafe { turn.cast::<T::Turn>().read() });
        (host, turn)
    }

    /// Brings in the host, and the data of the turn.
    pub(super) fn put_host(&mut self, host: T, turn: T::Turn) {
        let shared = self.shared();
        // SAFETY: C1, the owner's; there was no host.
        shared.host.with_mut(|place| unsafe { place.cast::<T>().write(host) });
        // SAFETY: C1, as above.
        shared.turn.with_mut(|place| unsafe { place.cast::<T::Turn>().write(turn) });
    }

    /// Puts a waker into a place whose flag is clear.
    pub(super) fn put_waker(&mut self, place: Place, waker: Waker) {
        // SAFETY: C4, the owner's, and empty.
        unsafe { put_waker::<T>(self.header, place, waker) };
    }

    /// Takes the waker that was shown.
    pub(super) fn take_waker(&mut self, place: Place) -> Waker {
        // SAFETY: C4, the owner cleared the flag.
        unsafe { take_waker::<T>(self.header, place) }
    }
}

/// # Safety
///
/// C4: the caller may use the place, which is empty.
pub(super) unsafe fn put_waker<T: Host>(header: NonNull<Header>, place: Place, waker: Waker) {
    // SAFETY: C8, by contract.
    let shared = unsafe { shared::<T>(header) };
    // SAFETY: C4, by contract.
    shared.wakers[place as usize].with_mut(|cell| unsafe { cell.cast::<Waker>().write(waker) });
}

/// # Safety
///
/// C4: the caller may use the place, which holds a waker.
pub(super) unsafe fn take_waker<T: Host>(header: NonNull<Header>, place: Place) -> Waker {
    // SAFETY: C8, by contract.
    let shared = unsafe { shared::<T>(header) };
    // SAFETY: C4, by contract.
    shared.wakers[place as usize].with_mut(|cell| unsafe { cell.cast::<Waker>().read() })
}

/// Gives one reference back; drops what is left in the cell, and the cell, with the last one.
///
/// # Safety
///
/// C8: the caller has that reference.
pub(super) unsafe fn release<T: Host>(header: NonNull<Header>) {
    // SAFETY: C8, by contract.
    let Some(is_full) = unsafe { shared::<T>(header) }.word.release() else { return };
    if is_full {
        // SAFETY: C8, nobody else knows the cell, so the turn is this thread's, and so is the block.
        let mut owner = unsafe { Owner::<T>::of(header) };
        depth::drop_nested(move || {
            owner.drop_future();
            let (host, turn) = owner.take_host();
            ignore_panic(|| host.end(turn, End::Cancelled, false));
            // SAFETY: C8, as above, and nothing is left in it.
            unsafe { free::<T>(header) };
        });
        return;
    }
    // SAFETY: C8, the last reference, and nothing is left in the cell.
    unsafe { free::<T>(header) };
}

/// # Safety
///
/// C8: the cell is empty, and nobody else knows it.
pub(super) unsafe fn free<T: Host>(header: NonNull<Header>) {
    // SAFETY: C8, by contract.
    let free = unsafe { shared::<T>(header) }.operations.free;
    // SAFETY: C8, by contract.
    unsafe { free(header) };
}
