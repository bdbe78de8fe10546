//! What an executor, its tasks, their wakers and their handles share.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use slab::Slab;

use super::cycle::Cut;
use super::late::Late;
use super::queue::{Arrivals, Fifo};
use super::slots::Slots;
use super::stage::{OVERHEAD, Whole, fits};
use super::state::State;
use super::waker::Handle;
use super::{Header, NOWHERE, Task, TaskId};
use crate::quiet::quietly;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::modelled::{DriverWaker, ThreadNumber, UnsafeCell, thread_number};

/// How much is claimed ahead.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Size {
    pub(in super::super) slots: usize,
    /// Bytes that a slot has for a future, or its result.
    pub(in super::super) bytes: usize,
}

/// See the module.
pub(in super::super) struct Home {
    number: u64,
    owner: ThreadNumber,
    local: Local,
    pub(super) arrivals: Arrivals<Header>,
    /// Whoever polls the executor, while it sleeps.
    pub(super) driver: DriverWaker,
    slots: Slots,
}

/// When an entry's turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    Last,
}

/// The owner's (L6).
pub(super) struct Local {
    pub(super) queue: Fifo<Header>,
    /// Every task that has not completed.
    pub(super) table: RefCell<Slab<Task>>,
    serial: Cell<u64>,
    pub(super) is_polling: Cell<bool>,
    /// The driver was told of what is queued since it last polled.
    pub(super) is_told: Cell<bool>,
    pub(super) is_closed: Cell<bool>,
}

// SAFETY: L6: `local` and the owner's part of `slots` are used by one thread. What is dropped
// elsewhere, with the last count, is addresses.
unsafe impl Send for Home {}

// SAFETY: L6: the same; the rest is `Sync` by itself.
unsafe impl Sync for Home {}

impl Home {
    /// Of the calling thread. None if there is no memory of that size.
    pub(in super::super) fn new(Size { slots, bytes }: Size) -> Option<Arc<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Some(Arc::new(Self {
            // Relaxed: a number that nobody else has.
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            owner: thread_number(),
            local: Local {
                queue: Fifo::new(),
                table: RefCell::new(Slab::with_capacity(slots)),
                serial: Cell::new(0),
                is_polling: Cell::new(false),
                is_told: Cell::new(false),
                is_closed: Cell::new(false),
            },
            arrivals: Arrivals::new(),
            driver: DriverWaker::new(),
            slots: Slots::new(slots, bytes.checked_add(OVERHEAD)?)?,
        }))
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(in super::super) fn stride(&self) -> usize {
        self.slots.stride()
    }

    /// L6.
    fn local(&self) -> Option<&Local> {
        (thread_number() == self.owner).then_some(&self.local)
    }

    /// For what only the owner can do: the types that call it are not `Send`.
    #[track_caller]
    pub(super) fn own(&self) -> &Local {
        self.local().expect("an executor stays on its thread")
    }

    pub(in super::super) fn len(&self) -> usize {
        self.own().table.borrow().len()
    }

    pub(in super::super) fn has_ready(&self) -> bool {
        self.own().queue.len() > 0 || !self.arrivals.is_empty()
    }

    pub(in super::super) fn is_closed(&self) -> bool {
        self.own().is_closed.get()
    }

    /// A slot for whoever will put a task there. None if all are taken.
    pub(in super::super) fn claim(self: &Arc<Self>) -> Option<Claim> {
        self.own();
        let slot = self.slots.take()?;
        Some(Claim { slot, home: Arc::clone(self), here: PhantomData })
    }

    /// Gives a slot back.
    ///
    /// # Safety
    ///
    /// It was taken from here, and nothing is in it.
    pub(super) unsafe fn give(&self, slot: NonNull<u8>) {
        if self.local().is_some() {
            // SAFETY: L7: by contract, and this is the owner.
            unsafe { self.slots.give(slot) };
        } else {
            // SAFETY: L7: by contract.
            unsafe { self.slots.give_from_elsewhere(slot) };
        }
    }

    fn header<F: Future>(self: &Arc<Self>, has_handle: bool, is_in_slot: bool) -> Header {
        Header {
            state: State::scheduled(has_handle),
            next: UnsafeCell::new(std::ptr::null_mut()),
            vtable: &Whole::<F>::VTABLE,
            home: ManuallyDrop::new(Arc::clone(self)),
            place: Cell::new(NOWHERE),
            serial: Cell::new(0),
            waker: UnsafeCell::new(None),
            is_in_slot,
        }
    }

    /// A task on the heap.
    pub(in super::super) fn spawn_boxed<F: Future + 'static>(
        self: &Arc<Self>,
        future: F,
    ) -> TaskId {
        self.begin(Whole::new(self.header::<F>(false, false), future).boxed())
    }

    /// The same, with a handle.
    pub(in super::super) fn join_boxed<F>(
        self: &Arc<Self>,
        future: F,
    ) -> (TaskId, Handle<F::Output>)
    where
        F: Future + 'static,
    {
        let task = Whole::new(self.header::<F>(true, false), future).boxed();
        // The handle first: its count keeps the task there, however soon it ends.
        // SAFETY: L2: the task was made with a handle, and this is it.
        let handle = unsafe { Handle::of(task) };
        (self.begin(task), handle)
    }

    /// A task that any thread makes, and whose future the owner will (L8).
    pub(in super::super) fn send<M, F>(self: &Arc<Self>, make: M) -> Handle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send> + 'static,
    {
        let late = Late::Make { make: Some(make) };
        let task = Whole::new(self.header::<Late<M, F>>(true, false), late).boxed();
        // SAFETY: L2: the task was made with a handle, and this is it.
        let handle = unsafe { Handle::of(task) };
        // SAFETY: L1: it was made `SCHEDULED`, so this is its entry; L3 keeps it there.
        if unsafe { self.arrivals.push(task.0) } {
            quietly(|| self.driver.wake());
        } else {
            // SAFETY: L8: it is the caller's still, and is a function that can be sent.
            unsafe { task.end(None, Cut::BeforeAnyPoll) };
        }
        handle
    }

    /// Takes a new task in, and queues it. Where the executor is gone it is over at once.
    fn begin(&self, task: Task) -> TaskId {
        let local = self.own();
        if local.is_closed.get() {
            // SAFETY: L2: this is the owner, and the entry was never made.
            unsafe { task.end(None, Cut::BeforeAnyPoll) };
            return TaskId { home: self.number, place: NOWHERE, serial: 0 };
        }
        let id = self.adopt(local, task);
        // SAFETY: L1: it was made `SCHEDULED`, so this is its entry; L3 keeps it there.
        unsafe { self.queue_up(local, task, Turn::Last) };
        id
    }

    /// Gives a task its place in the table.
    pub(super) fn adopt(&self, local: &Local, task: Task) -> TaskId {
        let serial = local.serial.get() + 1;
        local.serial.set(serial);
        let place = local.table.borrow_mut().insert(task);
        // SAFETY: L3: it has just come, and has not retired.
        let header = unsafe { task.header() };
        header.place.set(place);
        header.serial.set(serial);
        TaskId { home: self.number, place, serial }
    }

    /// Pushes an entry that this thread has just made.
    ///
    /// # Safety
    ///
    /// The entry is the caller's (L1).
    pub(super) unsafe fn enqueue(&self, task: Task, turn: Turn) {
        if let Some(local) = self.local() {
            // SAFETY: by contract; L3 keeps the task there.
            unsafe { self.queue_up(local, task, turn) };
            return;
        }
        // SAFETY: L1, L3: the same.
        if unsafe { self.arrivals.push(task.0) } {
            // Each push asks, not only the first of several: see the way to sleep.
            quietly(|| self.driver.wake());
        } else {
            // SAFETY: L3: arrivals close when all tasks are completed, so this one has retired
            // but for its entry.
            unsafe { task.release() };
        }
    }

    /// # Safety
    ///
    /// The entry is the caller's (L1).
    unsafe fn queue_up(&self, local: &Local, task: Task, turn: Turn) {
        match turn {
            Turn::Now => {
                // SAFETY: L1, by contract; L3 keeps the task there.
                unsafe { local.queue.push_front(task.0) }
            }
            Turn::Last => {
                // SAFETY: L1, by contract; L3 keeps the task there.
                unsafe { local.queue.push(task.0) }
            }
        }
        // What is polling will see it.
        if !local.is_polling.get() && !local.is_told.replace(true) {
            quietly(|| self.driver.wake());
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A slot that waits for a task. Stays on the owner's thread.
pub(in super::super) struct Claim {
    slot: NonNull<u8>,
    home: Arc<Home>,
    here: PhantomData<*const ()>,
}

impl Claim {
    pub(in super::super) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Puts a task there that fits.
    pub(in super::super) fn spawn<F: Future + 'static>(self, future: F) -> TaskId {
        let header = self.home.header::<F>(false, true);
        let (home, task) = self.place(Whole::new(header, future));
        home.begin(task)
    }

    /// The same, with a handle.
    pub(in super::super) fn join<F>(self, future: F) -> (TaskId, Handle<F::Output>)
    where
        F: Future + 'static,
    {
        let header = self.home.header::<F>(true, true);
        let (home, task) = self.place(Whole::new(header, future));
        // SAFETY: L2: the task was made with a handle, and this is it.
        let handle = unsafe { Handle::of(task) };
        (home.begin(task), handle)
    }

    fn place<F: Future>(self, whole: Whole<F>) -> (Arc<Home>, Task) {
        assert!(fits::<F>(self.home.stride()), "whoever has a claim looks whether it fits");
        let this = ManuallyDrop::new(self);
        // SAFETY: L4: the claim is not dropped, so its count is this one's.
        let home = unsafe { std::ptr::read(&raw const this.home) };
        // SAFETY: L7: the slot is the claim's, and given away with it; the task fits.
        let task = unsafe { whole.placed(this.slot) };
        (home, task)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // SAFETY: L7: the slot is the claim's, and nothing was put there.
        unsafe { self.home.give(self.slot) };
    }
}
