//! The steps of the owner: polling tasks, completing them, cancelling them.
//!
//! The state word is in `state.rs`, the future and its result are in `stage.rs`.

use std::mem::ManuallyDrop;
use std::task::{Context, Waker};

use super::header::{NOWHERE, Task, TaskId};
use super::shared::{Local, Shared};
use super::state::{Pause, Start};
use super::waker::{raw_waker, wake_handle};
use crate::panics::drop_ignoring_panic;

/// Which thread completes a task, and whether the task may have an entry in a queue then (L3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// The thread that made the task and still has its entry.
    BeforeAnyPoll,
    /// The owner, which has popped the entry or has yet to make it.
    WithEntry,
    /// The owner, without the entry: the task may have one in a queue.
    Between,
}

impl Task {
    /// Completes the task as cancelled.
    ///
    /// # Safety
    ///
    /// The stage and the executor's count are the caller's (L2, L8).
    pub(super) unsafe fn end(self, local: Option<&Local>, by: EndedBy) {
        // SAFETY: L3: the task has not retired.
        let cancel = unsafe { self.header() }.vtable.cancel;
        // SAFETY: L2, by contract.
        unsafe { cancel(self.0) };
        // SAFETY: L2: by contract.
        unsafe { self.complete(local, by) };
    }

    /// Marks the task as completed, wakes its handle, and retires the task.
    ///
    /// # Safety
    ///
    /// The stage holds the result, and the executor's count is the caller's.
    unsafe fn complete(self, local: Option<&Local>, by: EndedBy) {
        // SAFETY: L3: the task has not retired.
        let header = unsafe { self.header() };
        if let Some(local) = local.filter(|_| header.place.get() != NOWHERE) {
            local.table.borrow_mut().remove(header.place.get());
        }
        let completion = header.state.complete();
        if completion.wakes {
            // SAFETY: L5: the cell is this thread's to read.
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

    /// Polls, cancels or retires a task whose entry was popped. True if the task completed.
    ///
    /// # Safety
    ///
    /// The entry is the caller's, on the owner's thread.
    unsafe fn run(self, local: &Local) -> bool {
        // SAFETY: L3: an entry keeps its task alive.
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
        // SAFETY: the task outlives the poll (L3). The waker is not dropped, so it needs no count;
        // a clone of it takes a count.
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
                // SAFETY: L1: the task was woken while it ran, so the owner makes the entry.
                unsafe { local.queue.push(self.0) };
                false
            }
            Pause::Cancel => {
                // SAFETY: L2: this is the owner, and no other thread makes an entry.
                unsafe { self.end(Some(local), EndedBy::WithEntry) };
                true
            }
        }
    }
}

/// The place of a task that another thread made.
fn find(local: &Local, serial: u64) -> Option<usize> {
    let table = local.table.borrow();
    // SAFETY: L3: a task in the table has not retired.
    let mut all = table.iter().map(|(place, task)| (place, unsafe { task.header() }));
    all.find_map(|(place, header)| (header.serial.get() == serial).then_some(place))
}

/// Resets the flag even if `go_on` panics.
struct Polling<'a>(&'a Local);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.is_polling.set(false);
    }
}

impl Shared {
    /// Polls ready tasks, each at most once and at most `most` of them, while `go_on` returns true.
    /// Returns how many completed.
    pub(in super::super) fn cycle(&self, most: usize, mut go_on: impl FnMut() -> bool) -> usize {
        let local = self.own();
        local.is_polling.set(true);
        let _polling = Polling(local);
        local.driver_is_woken.set(false);
        self.take_inbox(local);
        let mut completed = 0;
        for _ in 0..local.queue.len().min(most) {
            if !go_on() {
                break;
            }
            let Some(entry) = local.queue.pop() else { break };
            // SAFETY: L1: the entry was popped.
            completed += usize::from(unsafe { Task(entry).run(local) });
        }
        completed
    }

    /// Moves the entries of the inbox to the owner's queue.
    fn take_inbox(&self, local: &Local) {
        for entry in self.inbox.take() {
            // SAFETY: L3: an entry keeps its task alive.
            if unsafe { Task(entry).header() }.place.get() == NOWHERE {
                self.adopt(local, Task(entry));
            }
            // SAFETY: L3: the same.
            if unsafe { Task(entry).header() }.state.is_aborted() {
                // SAFETY: L1: the entry was taken from the inbox.
                unsafe { local.queue.push_front(entry) };
            } else {
                // SAFETY: L1: the entry was taken from the inbox.
                unsafe { local.queue.push(entry) };
            }
        }
    }

    /// Wakes the sleeping driver, if it has something to do, after another caller has polled the
    /// executor or ended its tasks.
    pub(in super::super) fn wake_driver(&self) {
        if self.has_ready() || self.len() == 0 {
            self.wake_sleeper();
        }
    }

    /// Drops the waker of a driver that does not sleep any more.
    pub(in super::super) fn forget_sleeper(&self) {
        drop(self.driver.take());
    }

    /// Stores the driver's waker, which is called when there is something to do. True if there is
    /// something to do now.
    pub(in super::super) fn sleep(&self, driver: &Waker) -> bool {
        let registered = self.driver.register(driver);
        // Where another thread is about to wake the driver, it goes on at once.
        let has_more = registered.is_err() || self.has_ready();
        drop_ignoring_panic(registered);
        has_more
    }

    /// Completes a task as cancelled now. False if it has completed or is another executor's.
    pub(in super::super) fn cancel(&self, id: TaskId) -> bool {
        let local = self.own();
        if id.shared != self.number() {
            return false;
        }
        let place = if id.place == NOWHERE {
            self.take_inbox(local);
            find(local, id.serial)
        } else {
            Some(id.place)
        };
        place.is_some_and(|place| self.cancel_at(place, id.serial))
    }

    fn cancel_at(&self, place: usize, serial: u64) -> bool {
        let local = self.own();
        let found = local.table.borrow().get(place).copied();
        // SAFETY: L3: a task in the table has not retired.
        let task = found.filter(|task| unsafe { task.header() }.serial.get() == serial);
        let Some(task) = task else { return false };
        // SAFETY: L2: this is the owner, and no poll is running.
        unsafe { task.end(Some(local), EndedBy::Between) };
        true
    }

    /// Cancels all tasks that exist now, and returns how many.
    pub(in super::super) fn cancel_all(&self) -> usize {
        let local = self.own();
        self.take_inbox(local);
        let place_and_serial = |(place, task): (usize, &Task)| {
            // SAFETY: L3: a task in the table has not retired.
            (place, unsafe { task.header() }.serial.get())
        };
        let all: Vec<_> = local.table.borrow().iter().map(place_and_serial).collect();
        // The drop of a future may cancel other tasks, and make new ones.
        all.into_iter().filter(|(place, serial)| self.cancel_at(*place, *serial)).count()
    }

    /// The steps of `README.md`, The end. Afterwards no task is left that could be polled.
    pub(in super::super) fn close(&self) {
        let local = self.own();
        local.is_closed.set(true);
        self.cancel_all();
        while let Some(entry) = local.queue.pop() {
            // SAFETY: L3: all tasks of the table have completed, and this was its task's entry.
            unsafe { Task(entry).release() };
        }
        for entry in self.inbox.close() {
            let task = Task(entry);
            // SAFETY: L3: an entry keeps its task alive.
            if unsafe { task.header() }.place.get() == NOWHERE {
                // SAFETY: L8: the task was never polled, and its entry is this thread's.
                unsafe { task.end(None, EndedBy::BeforeAnyPoll) };
            } else {
                // SAFETY: L3: all tasks of the table have completed.
                unsafe { task.release() };
            }
        }
        // The driver is woken so that it finds that no task is left.
        self.wake_sleeper();
    }
}
