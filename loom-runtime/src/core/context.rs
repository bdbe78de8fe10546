//! Which runtime the current thread belongs to.
//!
//! Workers are given their context once, at their start; `block_on` and `enter` lend one to
//! their thread and put back what was there before, so that nesting loses nothing.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use tokio::runtime::{self, Handle};

use crate::sync::Arc;

#[cfg(feature = "plugin")]
use super::attached as process;
use super::beside;
use super::shared::Core;

/// How a thread came to its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// It is one of the runtime's, and must not be kept waiting.
    Worker,
    /// It drives a future, likewise.
    BlockOn,
    /// It has a guard, and is free to wait.
    Guard,
}

struct Current {
    core: Arc<Core>,
    origin: Origin,
}

thread_local! {
    static CONTEXT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

thread_local! {
    static IS_KEEPER: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as the keeper: other threads wait for it, so it must not wait.
pub(crate) fn become_keeper() {
    IS_KEEPER.set(true);
}

/// Whether the calling thread is the keeper.
pub(crate) fn is_keeper() -> bool {
    IS_KEEPER.get()
}

/// Gives the calling thread its context for as long as it lives.
pub(crate) fn adopt(core: Arc<Core>) {
    drop(replace(Some(Current { core, origin: Origin::Worker })));
}

/// Lends the calling thread a context until the guard is dropped, to drive a future in it.
pub(crate) fn drive(core: Arc<Core>) -> EnteredContext {
    EnteredContext::new(core, Origin::BlockOn)
}

/// The same for a thread that goes on with whatever it did.
fn enter(core: Arc<Core>) -> EnteredContext {
    // A thread that must not block before must not block with one more guard.
    let origin = if may_block() == MayBlock::No {
        origin().unwrap_or(Origin::BlockOn)
    } else {
        Origin::Guard
    };
    EnteredContext::new(core, origin)
}

pub(crate) struct EnteredContext {
    outer: Option<Current>,
    /// It puts the context back on the thread it was taken from.
    not_send: PhantomData<*const ()>,
}

impl EnteredContext {
    fn new(core: Arc<Core>, origin: Origin) -> Self {
        Self { outer: replace(Some(Current { core, origin })), not_send: PhantomData }
    }
}

impl Drop for EnteredContext {
    fn drop(&mut self) {
        drop(replace(self.outer.take()));
    }
}

/// The core of the current thread's runtime, if it has one.
pub(crate) fn current() -> Option<Arc<Core>> {
    let own = |context: &RefCell<Option<Current>>| {
        context.borrow().as_ref().map(|current| Arc::clone(&current.core))
    };
    CONTEXT.try_with(own).ok().flatten().or_else(attached).or_else(beside::current)
}

/// Looks at the core of the current thread's runtime, without counting it. Nothing where it has
/// none by itself. `f` must not call foreign code, which might change the context.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    // Only one of the two calls it.
    let mut f = Some(f);
    let own = |context: &RefCell<Option<Current>>| {
        let context = context.borrow();
        let current = context.as_ref()?;
        Some(f.take()?(&current.core))
    };
    CONTEXT.try_with(own).ok().flatten().or_else(|| with_attached(f?))
}

/// The host's runtime, in a plug-in.
#[cfg(feature = "plugin")]
fn attached() -> Option<Arc<Core>> {
    process::current()
}

#[cfg(feature = "plugin")]
#[inline]
fn with_attached<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    process::with(f)
}

#[cfg(not(feature = "plugin"))]
fn attached() -> Option<Arc<Core>> {
    None
}

#[cfg(not(feature = "plugin"))]
fn with_attached<R>(_f: impl FnOnce(&Core) -> R) -> Option<R> {
    None
}

/// Whether a thread may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MayBlock {
    /// It belongs to a runtime, or drives a future.
    No,
    /// It has entered a runtime, which says nothing of what else it does.
    Unknown,
    /// It is in no runtime.
    Yes,
}

fn origin() -> Option<Origin> {
    CONTEXT.try_with(|context| context.borrow().as_ref().map(|current| current.origin)).ok()?
}

/// Whether the calling thread is one of a Loom runtime's that runs blocking work, and no tasks.
#[cfg(feature = "plugin-host")]
pub(crate) fn runs_blocking_work() -> bool {
    origin() == Some(Origin::Worker) && runtime::worker_index().is_none()
}

pub(crate) fn may_block() -> MayBlock {
    let origin =
        CONTEXT.try_with(|context| context.borrow().as_ref().map(|current| current.origin));
    match origin {
        _ if is_keeper() => MayBlock::No,
        Ok(Some(Origin::Guard)) => MayBlock::Unknown,
        Ok(None) => match Handle::try_current() {
            Err(error) if error.is_missing_context() => MayBlock::Yes,
            _ => MayBlock::No,
        },
        // While its thread-locals are destroyed, another thread may be waiting for this one.
        Ok(Some(Origin::Worker | Origin::BlockOn)) | Err(_) => MayBlock::No,
    }
}

/// Swaps the context; the old one is dropped by the caller, outside the borrow.
fn replace(context: Option<Current>) -> Option<Current> {
    // A thread that is being torn down has no context to keep.
    CONTEXT.try_with(|slot| slot.replace(context)).ok().flatten()
}

/// The context of a runtime, until this is dropped; made by
/// [`LoomRuntime::enter`](crate::LoomRuntime::enter).
#[must_use = "the context ends when the guard is dropped"]
pub struct EnterGuard<'a> {
    _context: EnteredContext,
    _tokio: runtime::EnterGuard<'a>,
}

impl<'a> EnterGuard<'a> {
    pub(crate) fn new(core: Arc<Core>, tokio: &'a Handle) -> Self {
        Self { _context: enter(core), _tokio: tokio.enter() }
    }
}

impl std::fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}
