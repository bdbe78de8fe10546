//! What the owner does with its tasks: polling, completing, ending.

use std::mem::ManuallyDrop;
use std::task::{Context, Waker};

use super::header::{NOWHERE, Task, TaskId};
use super::shared::{Local, Shared};
use super::state::{Pause, Start};
use super::waker::{raw_waker, wake_handle};
use crate::panics::ignore_panic;

/// Who completes a task, and so whether its entry may be out (L3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// Whoever made it, and has its entry.
    BeforeAnyPoll,
    /// The owner, that has popped its entry, or has it to make.
    WithEntry,
    /// The owner, in between.
    Between,
}

impl Task {
    /// Completes the task as cancelled.
    ///
    /// # Safety
    ///
    /// The stage is the caller's (L2, L8), and the executor's count with it.
    pub(super) unsafe fn end(self, local: Option<&Local>, by: EndedBy) {
        // SAFETY: L3: it has not retired.
        let cancel = unsafe { self.header() }.vtable.cancel;
        // SAFETY: L2, by contract.
        unsafe { cancel(self.0) };
        // SAFETY: L2: by contract.
        unsafe { self.complete(local, by) };
    }

    /// Lets everyone know that the stage holds the result, and retires the task.
    ///
    /// # Safety
    ///
    /// So it does, and the executor's count is the caller's.
    unsafe fn complete(self, local: Option<&Local>, by: EndedBy) {
        // SAFETY: L3: it has not retired.
        let header = unsafe { self.header() };
        if let Some(local) = local.filter(|_| header.place.get() != NOWHERE) {
            local.table.borrow_mut().remove(header.place.get());
        }
        let completion = header.state.complete();
        if completion.wakes {
            // SAFETY: L5: the cell is ours to read.
            unsafe { wake_handle(header) };
        }
        if completion.is_unwanted {
            // SAFETY: L2: there is no handle.
            unsafe { (header.vtable.drop_result)(self.0) };
        }
        if by != EndedBy::Between || !completion.has_entry {
            // SAFETY: L3, by contract.
            unsafe { self.release() };
        }
    }

    /// Does what is next for a task; true if it completed.
    ///
    /// # Safety
    ///
    /// The entry is the caller's, on the owner's thread.
    unsafe fn run(self, local: &Local) -> bool {
        // SAFETY: L3: an entry keeps its task there.
        let header = unsafe { self.header() };
        match header.state.start() {
            Start::Retire => {
                // SAFETY: L3.
                unsafe { self.release() };
                return false;
            }
            Start::Cancel => {
                // SAFETY: L2: this is the owner, and has the entry.
                unsafe { self.end(Some(local), EndedBy::WithEntry) };
                return true;
            }
            Start::Poll => {}
        }
        // SAFETY: the task outlives the poll (L3), and the waker is not dropped: a clone of it
        // takes a count of its own.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw_waker(self)) });
        // SAFETY: L2: this is the owner.
        if unsafe { (header.vtable.poll)(self.0, &mut Context::from_waker(&waker)) } {
            // SAFETY: L2, L3: the same.
            unsafe { self.complete(Some(local), EndedBy::WithEntry) };
            return true;
        }
        match header.state.pause() {
            Pause::Parked => false,
            Pause::Again => {
                // SAFETY: L1: it was woken while it ran.
                unsafe { local.queue.push(self.0) };
                false
            }
            Pause::Cancel => {
                // SAFETY: L2: this is the owner, and nobody else makes an entry.
                unsafe { self.end(Some(local), EndedBy::WithEntry) };
                true
            }
        }
    }
}

/// Resets the flag even where a `go_on` panics.
struct Polling<'a>(&'a Local);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.is_polling.set(false);
    }
}

impl Shared {
    /// Polls tasks that are ready, each at most once and no more than so many, for as long as
    /// `go_on` says so; tells how many completed.
    pub(in super::super) fn cycle(&self, most: usize, mut go_on: impl FnMut() -> bool) -> usize {
        let local = self.own();
        local.is_polling.set(true);
        let _polling = Polling(local);
        local.driver_is_woken.set(false);
        self.let_in(local);
        let mut completed = 0;
        for _ in 0..local.queue.len().min(most) {
            if !go_on() {
                break;
            }
            let Some(entry) = local.queue.pop() else { break };
            // SAFETY: L1: it was popped.
            completed += usize::from(unsafe { Task(entry).run(local) });
        }
        completed
    }

    /// Moves what other threads pushed to the end of the queue.
    fn let_in(&self, local: &Local) {
        for entry in self.inbox.take() {
            // SAFETY: L3: an entry keeps its task there.
            if unsafe { Task(entry).header() }.place.get() == NOWHERE {
                self.adopt(local, Task(entry));
            }
            // SAFETY: L3: the same.
            if unsafe { Task(entry).header() }.state.is_aborted() {
                // SAFETY: L1: it was taken.
                unsafe { local.queue.push_front(entry) };
            } else {
                // SAFETY: L1: it was taken.
                unsafe { local.queue.push(entry) };
            }
        }
    }

    /// For whoever sleeps, where somebody else has polled the executor, or ended its tasks.
    pub(in super::super) fn wake_driver(&self) {
        if self.has_ready() || self.len() == 0 {
            ignore_panic(|| self.driver.wake());
        }
    }

    /// Has whoever polls the executor woken when there is something to do; true if there is now.
    pub(in super::super) fn sleep(&self, driver: &Waker) -> bool {
        self.driver.register(driver);
        self.has_ready()
    }

    /// Completes a task as cancelled, now. False if it has completed, or was never here.
    pub(in super::super) fn cancel(&self, id: TaskId) -> bool {
        let local = self.own();
        let found = local.table.borrow().get(id.place).copied();
        // SAFETY: L3: what is in the table has not retired.
        let task = found.filter(|task| unsafe { task.header() }.serial.get() == id.serial);
        let Some(task) = task.filter(|_| id.shared == self.number()) else { return false };
        // SAFETY: L2: this is the owner, and no poll is under way.
        unsafe { task.end(Some(local), EndedBy::Between) };
        true
    }

    /// The same for all there are now.
    pub(in super::super) fn cancel_all(&self) -> usize {
        let local = self.own();
        self.let_in(local);
        let all = || local.table.borrow().iter().map(|(_, task)| *task).collect::<Vec<_>>();
        let ids: Vec<_> = all().into_iter().map(|task| self.id_of(task)).collect();
        // One that is dropped may drop others with it, and make new ones.
        ids.into_iter().filter(|id| self.cancel(*id)).count()
    }

    fn id_of(&self, task: Task) -> TaskId {
        // SAFETY: L3: what is in the table has not retired.
        let header = unsafe { task.header() };
        TaskId { shared: self.number(), place: header.place.get(), serial: header.serial.get() }
    }

    /// The end (`README.md`). Nothing is left that could be polled.
    pub(in super::super) fn close(&self) {
        let local = self.own();
        local.is_closed.set(true);
        self.cancel_all();
        while let Some(entry) = local.queue.pop() {
            // SAFETY: L3: its task has completed, as all in the table have, and this was its entry.
            unsafe { Task(entry).release() };
        }
        for entry in self.inbox.close() {
            let task = Task(entry);
            // SAFETY: L3: an entry keeps its task there.
            if unsafe { task.header() }.place.get() == NOWHERE {
                // SAFETY: L8, and the entry is ours.
                unsafe { task.end(None, EndedBy::BeforeAnyPoll) };
            } else {
                // SAFETY: L3: its task has completed, as all in the table have.
                unsafe { task.release() };
            }
        }
        // Whoever drives it finds out that there is nothing left.
        ignore_panic(|| self.driver.wake());
    }
}
