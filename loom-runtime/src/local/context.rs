//! The context of the tasks on a local core: its handle, its spawner and its state.
//!
//! The thread itself is in `thread.rs`.

use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;

use super::handle::{CoreShared, LocalCore};
use super::states::States;
use crate::core::{Admitted, OfPlace, SlowPolls, Spot, local_core};
use crate::executor::{JoinHandle, Spawner};
use crate::sync::atomic::Ordering;
use crate::threads::Tracked;
use crate::time::Clock;

/// The context of a local core, on its thread.
pub(super) struct CoreContext {
    pub(super) core: LocalCore,
    pub(super) spawner: Spawner,
    pub(super) states: States,
    /// One admission for all tasks that the core made itself, while at least one exists: each
    /// admission writes memory that all threads share.
    pub(super) admitted: RefCell<Option<Admitted>>,
}

impl CoreContext {
    /// Counts a task that is made on this core.
    #[track_caller]
    fn track(self: Rc<Self>, place: u32) -> OwnTask {
        let CoreShared { core, tasks, .. } = &*self.core.shared;
        let own = &tasks.own;
        let tasks = own.load(Ordering::Relaxed);
        if tasks == 0 {
            let admitted = Admitted::or_panic(core);
            self.admitted.replace(Some(admitted));
        } else if core.lifecycle.is_gone() {
            // It panics with the text for an ended runtime.
            drop(Admitted::or_panic(core));
        }
        core.counters.spawned.add_one();
        own.store(tasks + 1, Ordering::Relaxed);
        OwnTask { context: self, place }
    }
}

/// Counts a task that was made on this core, until the task has ended.
struct OwnTask {
    context: Rc<CoreContext>,
    place: u32,
}

impl OfPlace for OwnTask {
    fn slow_polls(&self) -> &SlowPolls {
        &self.context.core.shared.core.slow_polls
    }

    fn place(&self) -> u32 {
        self.place
    }
}

impl Drop for OwnTask {
    fn drop(&mut self) {
        let own = &self.context.core.shared.tasks.own;
        let tasks = own.load(Ordering::Relaxed) - 1;
        own.store(tasks, Ordering::Relaxed);
        if tasks == 0 {
            // Dropped without a borrow: it may be the runtime's last admission and wake other code.
            let admitted = self.context.admitted.take();
            drop(admitted);
        }
    }
}

thread_local! {
    static CONTEXT: RefCell<Option<Rc<CoreContext>>> = const { RefCell::new(None) };
}

/// Makes this thread a local core until the guard is dropped.
pub(super) fn enter(context: CoreContext) -> CoreGuard {
    CONTEXT.set(Some(Rc::new(context)));
    local_core::set_here(true);
    CoreGuard
}

pub(super) struct CoreGuard;

impl CoreGuard {
    /// Drops the core's state while the context is still set.
    pub(super) fn end(self) {
        if let Some(context) = current_context() {
            context.states.end();
        }
        drop(self);
    }
}

impl Drop for CoreGuard {
    fn drop(&mut self) {
        // Dropped without a borrow: what the context holds may look up its core.
        local_core::set_here(false);
        let context = CONTEXT.take();
        drop(context);
    }
}

pub(super) fn current_context() -> Option<Rc<CoreContext>> {
    CONTEXT.try_with(|context| context.borrow().clone()).ok().flatten()
}

#[track_caller]
fn expect_context(function: &str) -> Rc<CoreContext> {
    let Some(context) = current_context() else {
        panic!(
            "`loom::local::{function}` was called on a thread that is not a local core: send the \
             work to a core with `LocalCore::spawn_with`"
        );
    };
    context
}

/// The local core that this code runs on. `None` on other threads.
#[must_use]
pub fn current() -> Option<LocalCore> {
    current_context().map(|context| context.core.clone())
}

/// Spawns a task on the local core that this code runs on. Its future need not be `Send`.
///
/// The future is stored in one of the core's 4096 slots if a slot is free and the future and its
/// result are no larger than 512 bytes, and otherwise on the heap. The task is tracked.
///
/// # Panics
///
/// On a thread that is not a local core, and on a runtime that has been shut down.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let context = expect_context("spawn");
    let task = Rc::clone(&context).track(Spot::of_task(Location::caller()));
    context.spawner.spawn(Tracked::new(future, task))
}

/// The spawner of the local core that this code runs on, for callers that choose where a task is
/// stored. Its tasks are not tracked: the end of the runtime does not wait for them.
///
/// A core's executor spills to the heap, so `spawn_slab` uses the heap if no slot fits. To use a
/// slot and never the heap, call `try_claim_slab`. A `TaskId` has no use on a core, since the core
/// owns its executor: to end a task, use a handle, from `spawn` or `SlabClaim::spawn_joined`.
///
/// # Panics
///
/// On a thread that is not a local core.
#[must_use]
#[track_caller]
pub fn spawner() -> Spawner {
    expect_context("spawner").spawner.clone()
}

/// The clock of the local core that this code runs on.
///
/// # Panics
///
/// On a thread that is not a local core.
#[must_use]
#[track_caller]
pub fn clock() -> Clock {
    expect_clock("clock")
}

#[track_caller]
pub(super) fn expect_clock(function: &str) -> Clock {
    expect_context(function).core.clock().clone()
}
