//! Making tasks: in a slot, on the heap, and from another thread.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::cycle::EndedBy;
use super::deferred::Deferred;
use super::header::{Header, NOWHERE, Task, TaskId};
use super::shared::{Shared, Turn};
use super::stage::{TaskCell, fits};
use super::state::State;
use super::waker::Handle;
use crate::sync::Arc;
use crate::sync::modelled::UnsafeCell;

impl Shared {
    /// Reserves a slot for a task. `None` if all slots are taken.
    pub(in super::super) fn claim(self: &Arc<Self>) -> Option<Claim> {
        self.own();
        let slot = self.slots.take()?;
        Some(Claim { slot, shared: Arc::clone(self), not_send: PhantomData })
    }

    fn header<F: Future>(self: &Arc<Self>, has_handle: bool, is_in_slot: bool) -> Header {
        self.numbered_header::<F>(has_handle, is_in_slot, 0)
    }

    fn numbered_header<F: Future>(
        self: &Arc<Self>,
        has_handle: bool,
        is_in_slot: bool,
        serial: u64,
    ) -> Header {
        Header {
            state: State::scheduled(has_handle),
            next: UnsafeCell::new(std::ptr::null_mut()),
            vtable: &TaskCell::<F>::VTABLE,
            shared: ManuallyDrop::new(Arc::clone(self)),
            place: Cell::new(NOWHERE),
            serial: Cell::new(serial),
            waker: UnsafeCell::new(None),
            is_in_slot,
        }
    }

    /// Makes a task on the heap.
    pub(in super::super) fn spawn_boxed<F: Future + 'static>(
        self: &Arc<Self>,
        future: F,
    ) -> TaskId {
        self.begin(TaskCell::new(self.header::<F>(false, false), future).boxed())
    }

    /// Makes a task on the heap, with a handle.
    pub(in super::super) fn join_boxed<F>(
        self: &Arc<Self>,
        future: F,
    ) -> (TaskId, Handle<F::Output>)
    where
        F: Future + 'static,
    {
        let task = TaskCell::new(self.header::<F>(true, false), future).boxed();
        // The handle is made before the task can end: its count keeps the task alive.
        // SAFETY: L2: the task was made with a handle, and this is that handle.
        let handle = unsafe { Handle::of(task) };
        (self.begin(task), handle)
    }

    /// Makes a task on any thread. The owner makes its future at the first poll (L8).
    pub(in super::super) fn send<M, F>(self: &Arc<Self>, make: M) -> (TaskId, Handle<F::Output>)
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send> + 'static,
    {
        let deferred = Deferred::Make { make: Some(make) };
        let serial = self.serial_from_elsewhere();
        let header = self.numbered_header::<Deferred<M, F>>(true, false, serial);
        let task = TaskCell::new(header, deferred).boxed();
        // SAFETY: L2: the task was made with a handle, and this is that handle.
        let handle = unsafe { Handle::of(task) };
        // SAFETY: L1: the task was made `SCHEDULED`, so this is its entry; L3 keeps the task alive.
        if unsafe { self.inbox.push(task.0) } {
            self.wake_sleeper();
        } else {
            // SAFETY: L8: the entry is still the caller's, and the stage is a `Send` function.
            unsafe { task.end(None, EndedBy::BeforeAnyPoll) };
        }
        (TaskId { shared: self.number(), place: NOWHERE, serial }, handle)
    }

    /// Enters a new task in the table, and queues it. If the executor was dropped, the task is
    /// cancelled at once.
    fn begin(&self, task: Task) -> TaskId {
        let local = self.own();
        if local.is_closed.get() {
            // SAFETY: L2: this is the owner, and the entry was never pushed.
            unsafe { task.end(None, EndedBy::BeforeAnyPoll) };
            let serial = local.next_serial();
            return TaskId { shared: self.number(), place: NOWHERE, serial };
        }
        let id = self.adopt(local, task);
        // SAFETY: L1: the task was made `SCHEDULED`, so this is its entry; L3 keeps the task alive.
        unsafe { self.queue_up(local, task, Turn::Last) };
        id
    }
}

/// A slot that is reserved for a task. It stays on the owner's thread.
pub(in super::super) struct Claim {
    slot: NonNull<u8>,
    shared: Arc<Shared>,
    not_send: PhantomData<*const ()>,
}

impl Claim {
    pub(in super::super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Makes a task in the slot. The caller has checked that the task fits.
    pub(in super::super) fn spawn<F: Future + 'static>(self, future: F) -> TaskId {
        let header = self.shared.header::<F>(false, true);
        let (shared, task) = self.place(TaskCell::new(header, future));
        shared.begin(task)
    }

    /// Makes a task in the slot, with a handle.
    pub(in super::super) fn join<F>(self, future: F) -> (TaskId, Handle<F::Output>)
    where
        F: Future + 'static,
    {
        let header = self.shared.header::<F>(true, true);
        let (shared, task) = self.place(TaskCell::new(header, future));
        // SAFETY: L2: the task was made with a handle, and this is that handle.
        let handle = unsafe { Handle::of(task) };
        (shared.begin(task), handle)
    }

    fn place<F: Future>(self, cell: TaskCell<F>) -> (Arc<Shared>, Task) {
        assert!(fits::<F>(self.shared.stride()), "the caller has checked that the task fits");
        let this = ManuallyDrop::new(self);
        // SAFETY: L4: the claim is not dropped, so its count of the shared state moves here.
        let shared = unsafe { std::ptr::read(&raw const this.shared) };
        // SAFETY: L7: the slot was the claim's and passes to the task; the task fits.
        let task = unsafe { cell.placed(this.slot) };
        (shared, task)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // SAFETY: L7: the slot is the claim's, and no task was made in it.
        unsafe { self.shared.give(self.slot) };
    }
}
