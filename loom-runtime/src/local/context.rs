//! What tasks find on the core they run on.

use std::cell::RefCell;
use std::rc::Rc;

use super::handle::{CoreShared, LocalCore};
use super::states::States;
use crate::core::{Admitted, local_core};
use crate::executor::{JoinHandle, Spawner};
use crate::sync::atomic::Ordering;
use crate::threads::Tracked;
use crate::time::Clock;

/// The core of this thread.
pub(super) struct CoreContext {
    pub(super) core: LocalCore,
    pub(super) spawner: Spawner,
    pub(super) states: States,
    /// One admission for all tasks that the core made itself, while there are any: each admission
    /// writes memory that all threads share.
    pub(super) admitted: RefCell<Option<Admitted>>,
}

impl CoreContext {
    /// Counts in a task that is made here.
    #[track_caller]
    fn track(self: Rc<Self>) -> OwnTask {
        let CoreShared { core, tasks, .. } = &*self.core.shared;
        let own = &tasks.own;
        let tasks = own.load(Ordering::Relaxed);
        if tasks == 0 {
            let admitted = Admitted::or_panic(core);
            self.admitted.replace(Some(admitted));
        } else if core.lifecycle.is_gone() {
            // It panics, with the words for it.
            drop(Admitted::or_panic(core));
        }
        core.counters.spawned.add_one();
        own.store(tasks + 1, Ordering::Relaxed);
        OwnTask(self)
    }
}

/// A task that was made here, until it has ended.
struct OwnTask(Rc<CoreContext>);

impl Drop for OwnTask {
    fn drop(&mut self) {
        let own = &self.0.core.shared.tasks.own;
        let tasks = own.load(Ordering::Relaxed) - 1;
        own.store(tasks, Ordering::Relaxed);
        if tasks == 0 {
            // Outside of the borrow: it may be the last of all, and wake others.
            let admitted = self.0.admitted.take();
            drop(admitted);
        }
    }
}

thread_local! {
    static CONTEXT: RefCell<Option<Rc<CoreContext>>> = const { RefCell::new(None) };
}

/// Makes this thread a local core's until the guard is dropped.
pub(super) fn enter(here: CoreContext) -> CoreGuard {
    CONTEXT.set(Some(Rc::new(here)));
    local_core::set_here(true);
    CoreGuard
}

pub(super) struct CoreGuard;

impl CoreGuard {
    /// Drops what the core has of its own, while code still finds itself on it.
    pub(super) fn end(self) {
        if let Some(here) = current_context() {
            here.states.end();
        }
        drop(self);
    }
}

impl Drop for CoreGuard {
    fn drop(&mut self) {
        // Dropped outside of the borrow: what it holds may look for its core.
        local_core::set_here(false);
        let here = CONTEXT.take();
        drop(here);
    }
}

pub(super) fn current_context() -> Option<Rc<CoreContext>> {
    CONTEXT.try_with(|here| here.borrow().clone()).ok().flatten()
}

#[track_caller]
fn expect_context(function: &str) -> Rc<CoreContext> {
    let Some(here) = current_context() else {
        panic!(
            "`loom::local::{function}` was called on a thread that is no local core: give the core \
             the work with `LocalCore::spawn_with`"
        );
    };
    here
}

/// The local core that this code runs on, if it is one.
#[must_use]
pub fn current() -> Option<LocalCore> {
    current_context().map(|here| here.core.clone())
}

/// Spawns a task on the local core that this code runs on. Its future need not be `Send`; it
/// stands in one of 4096 slots that the core claimed ahead, if one is free and it and its result
/// are no larger than 512 bytes, and otherwise on the heap. Tracked.
///
/// # Panics
///
/// On a thread that is no local core, and on a runtime that has been shut down.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let here = expect_context("spawn");
    let task = Rc::clone(&here).track();
    here.spawner.spawn(Tracked::new(future, task))
}

/// The spawner of the local core that this code runs on, for callers that choose where a task is
/// stored. Its tasks are not tracked: the end of the runtime does not wait for them.
///
/// A core's executor spills to the heap, so `spawn_slab` uses the heap where no slot fits; for a slot
/// or nothing use `try_claim_slab`. A `TaskId` has no use here, since the core owns its executor: a
/// task that has to be ended needs a handle, from `spawn` or `SlabClaim::spawn_joined`.
///
/// # Panics
///
/// On a thread that is no local core.
#[must_use]
#[track_caller]
pub fn spawner() -> Spawner {
    expect_context("spawner").spawner.clone()
}

/// The clock of the local core that this code runs on.
///
/// # Panics
///
/// On a thread that is no local core.
#[must_use]
#[track_caller]
pub fn clock() -> Clock {
    expect_context("clock").core.clock().clone()
}
