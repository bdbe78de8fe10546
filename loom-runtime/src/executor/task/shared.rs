//! What an executor, its tasks, their wakers and their handles share.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ptr::NonNull;

use slab::Slab;

use super::header::{Header, OVERHEAD, Task, TaskId};
use super::queue::{Fifo, Inbox};
use super::slots::Slots;
use crate::panics::ignore_panic;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::modelled::{DriverWaker, ThreadNumber, thread_number};

/// How much is claimed ahead.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Size {
    pub(in super::super) slots: usize,
    /// Bytes that a slot has for a future, or its result.
    pub(in super::super) bytes: usize,
}

/// See the module.
pub(in super::super) struct Shared {
    number: u64,
    owner: ThreadNumber,
    local: Local,
    pub(super) inbox: Inbox<Header>,
    /// Whoever polls the executor, while it sleeps.
    pub(super) driver: DriverWaker,
    pub(super) slots: Slots,
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
    pub(super) driver_is_woken: Cell<bool>,
    pub(super) is_closed: Cell<bool>,
}

// SAFETY: L6: `local` and the owner's part of `slots` are used by one thread. What is dropped
// elsewhere, with the last count, is addresses.
unsafe impl Send for Shared {}

// SAFETY: L6: the same; the rest is `Sync` by itself.
unsafe impl Sync for Shared {}

impl Shared {
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
                driver_is_woken: Cell::new(false),
                is_closed: Cell::new(false),
            },
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
        self.own().queue.len() > 0 || !self.inbox.is_empty()
    }

    pub(in super::super) fn is_closed(&self) -> bool {
        self.own().is_closed.get()
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

    /// Gives a task its place in the table.
    pub(super) fn adopt(&self, local: &Local, task: Task) -> TaskId {
        let serial = local.serial.get() + 1;
        local.serial.set(serial);
        let place = local.table.borrow_mut().insert(task);
        // SAFETY: L3: it has just come, and has not retired.
        let header = unsafe { task.header() };
        header.place.set(place);
        header.serial.set(serial);
        TaskId { shared: self.number, place, serial }
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
        if unsafe { self.inbox.push(task.0) } {
            // Each push asks, not only the first of several: see the way to sleep.
            ignore_panic(|| self.driver.wake());
        } else {
            // SAFETY: L3: arrivals close when all tasks are completed, so this one has retired
            // but for its entry.
            unsafe { task.release() };
        }
    }

    /// # Safety
    ///
    /// The entry is the caller's (L1).
    pub(super) unsafe fn queue_up(&self, local: &Local, task: Task, turn: Turn) {
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
        if !local.is_polling.get() && !local.driver_is_woken.replace(true) {
            ignore_panic(|| self.driver.wake());
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("number", &self.number).finish_non_exhaustive()
    }
}
