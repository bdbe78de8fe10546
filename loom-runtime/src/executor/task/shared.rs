//! The shared state of an executor, its tasks, their wakers and their handles.
//!
//! It does not own the tasks themselves: counts keep each task alive (`README.md`, L3 and L4).

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ptr::NonNull;

use slab::Slab;

use super::header::{FROM_ELSEWHERE, Header, OVERHEAD, Task, TaskId};
use super::queue::{Fifo, Inbox};
use super::slots::Slots;
use crate::panics::KeptWaker;
use crate::sync::Arc;
use crate::sync::DriverWaker;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::modelled::{ThreadNumber, thread_number};

/// How much storage an executor claims when it is made.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Size {
    pub(in super::super) slots: usize,
    /// Bytes of a slot for a future or its result.
    pub(in super::super) bytes: usize,
}

/// The shared state of one executor.
pub(in super::super) struct Shared {
    number: u64,
    owner: ThreadNumber,
    local: Local,
    /// How many tasks other threads have made.
    sent: AtomicU64,
    pub(super) inbox: Inbox<Header>,
    /// The driver's waker, while the driver sleeps.
    pub(super) driver: DriverWaker,
    pub(super) slots: Slots,
}

/// Where in the owner's queue an entry goes: to the front or to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    Last,
}

/// The part that only the owner uses (L6).
pub(super) struct Local {
    pub(super) queue: Fifo<Header>,
    /// Every task that has not completed.
    pub(super) table: RefCell<Slab<Task>>,
    serial: Cell<u64>,
    pub(super) is_polling: Cell<bool>,
    /// Whether the driver was woken for queued tasks since the last cycle.
    pub(super) driver_is_woken: Cell<bool>,
    pub(super) is_closed: Cell<bool>,
}

impl Local {
    pub(super) fn next_serial(&self) -> u64 {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        serial
    }
}

// SAFETY: L6: one thread uses `local` and the owner's part of `slots`. Another thread may drop them
// with the last count, and they then hold only addresses.
unsafe impl Send for Shared {}

// SAFETY: L6: as for `Send`; the other fields are `Sync`.
unsafe impl Sync for Shared {}

impl Shared {
    /// Makes the shared state, with the calling thread as owner. `None` if the total size of the
    /// slots exceeds the largest possible allocation.
    pub(in super::super) fn new(Size { slots, bytes }: Size) -> Option<Arc<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Some(Arc::new(Self {
            // Relaxed: the number only has to be unique.
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            owner: thread_number(),
            local: Local {
                queue: Fifo::new(),
                table: RefCell::new(Slab::with_capacity(slots)),
                serial: Cell::new(0),
                is_polling: Cell::new(false),
                driver_is_woken: Cell::new(false),
                is_closed: Cell::new(false),
            },
            sent: AtomicU64::new(0),
            inbox: Inbox::new(),
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

    /// The owner's part, on the owner's thread (L6).
    fn local(&self) -> Option<&Local> {
        (thread_number() == self.owner).then_some(&self.local)
    }

    /// The owner's part, for functions of types that are not `Send`.
    #[track_caller]
    pub(super) fn own(&self) -> &Local {
        self.local().expect("only the thread that made the executor calls this")
    }

    pub(in super::super) fn len(&self) -> usize {
        self.own().table.borrow().len()
    }

    pub(in super::super) fn has_ready(&self) -> bool {
        self.own().queue.len() > 0 || !self.inbox.is_empty()
    }

    pub(in super::super) fn is_closed(&self) -> bool {
        self.own().is_closed.get()
    }

    /// Wakes the sleeping driver, whether it has something to do or not.
    pub(in super::super) fn wake_sleeper(&self) {
        if let Some(driver) = self.driver.take() {
            KeptWaker::from(driver).wake();
        }
    }

    /// Returns a slot.
    ///
    /// # Safety
    ///
    /// The slot was taken from this executor, and nothing is in it.
    pub(super) unsafe fn give(&self, slot: NonNull<u8>) {
        if self.local().is_some() {
            // SAFETY: L7: by contract, and this is the owner.
            unsafe { self.slots.give(slot) };
        } else {
            // SAFETY: L7: by contract.
            unsafe { self.slots.give_from_elsewhere(slot) };
        }
    }

    /// Enters a task in the table.
    pub(super) fn adopt(&self, local: &Local, task: Task) -> TaskId {
        let place = local.table.borrow_mut().insert(task);
        // SAFETY: L3: the task is new, and has not retired.
        let header = unsafe { task.header() };
        header.place.set(place);
        if header.serial.get() & FROM_ELSEWHERE == 0 {
            header.serial.set(local.next_serial());
        }
        TaskId { shared: self.number, place, serial: header.serial.get() }
    }

    /// The number of a task that another thread makes.
    pub(super) fn serial_from_elsewhere(&self) -> u64 {
        // Relaxed: the number only has to be unique.
        self.sent.fetch_add(1, Ordering::Relaxed) | FROM_ELSEWHERE
    }

    /// Pushes an entry that this thread has just made.
    ///
    /// # Safety
    ///
    /// The entry is the caller's (L1).
    pub(super) unsafe fn enqueue(&self, task: Task, turn: Turn) {
        if let Some(local) = self.local() {
            // SAFETY: by contract; L3 keeps the task alive.
            unsafe { self.queue_up(local, task, turn) };
            return;
        }
        // SAFETY: L1, L3: the same.
        if unsafe { self.inbox.push(task.0) } {
            // Each push checks for a waker, not only the first (`README.md`, Going to sleep).
            self.wake_sleeper();
        } else {
            // SAFETY: L3: the inbox is closed after all tasks have completed, so only this entry
            // kept the task from retiring.
            unsafe { task.release() };
        }
    }

    /// # Safety
    ///
    /// The entry is the caller's (L1).
    pub(super) unsafe fn queue_up(&self, local: &Local, task: Task, turn: Turn) {
        match turn {
            Turn::Now => {
                // SAFETY: L1, by contract; L3 keeps the task alive.
                unsafe { local.queue.push_front(task.0) }
            }
            Turn::Last => {
                // SAFETY: L1, by contract; L3 keeps the task alive.
                unsafe { local.queue.push(task.0) }
            }
        }
        // A cycle that is running sees the entry without a wake.
        if !local.is_polling.get() && !local.driver_is_woken.replace(true) {
            self.wake_sleeper();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("number", &self.number).finish_non_exhaustive()
    }
}
