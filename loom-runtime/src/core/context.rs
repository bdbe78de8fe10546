//! Which runtime the current thread belongs to.
//!
//! A worker gets its context once, when it starts. `block_on` and `enter` lend one to the calling
//! thread and restore the earlier one afterwards, so they can be nested.

use std::cell::RefCell;
use std::marker::PhantomData;

use tokio::runtime::{self, Handle};

use crate::panics::user_code;
use crate::sync::Arc;

#[cfg(feature = "plugin")]
use super::attached as process;
use super::beside;
use super::shared::Core;

/// How a thread got its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// It is a thread of the runtime, and must not be blocked.
    Worker,
    /// It drives a future, and must not be blocked either.
    BlockOn,
    /// It holds a guard, and may block.
    Guard,
}

struct Current {
    core: Arc<Core>,
    origin: Origin,
}

thread_local! {
    static CONTEXT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Sets the context of the calling thread until the thread ends.
pub(crate) fn adopt(core: Arc<Core>) {
    drop(replace(Some(Current { core, origin: Origin::Worker })));
}

/// Lends the calling thread a context until the guard is dropped, to drive a future in it.
pub(crate) fn drive(core: Arc<Core>) -> EnteredContext {
    EnteredContext::new(core, Origin::BlockOn)
}

/// Lends the calling thread a context until the guard is dropped; the thread goes on with its own
/// work.
fn enter(core: Arc<Core>) -> EnteredContext {
    // A thread that must not block still must not block with one more guard.
    let origin = if may_block() == MayBlock::No {
        origin().unwrap_or(Origin::BlockOn)
    } else {
        Origin::Guard
    };
    EnteredContext::new(core, origin)
}

pub(crate) struct EnteredContext {
    outer: Option<Current>,
    /// The drop restores the context, so it has to run on the same thread.
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

/// Calls `f` with the core of the current thread's runtime, without counting a reference. Returns
/// `None` where the thread has no context of its own. `f` must not call foreign code, which might
/// change the context.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    // Only one of the two closures calls it.
    let mut f = Some(f);
    let own = |context: &RefCell<Option<Current>>| {
        let context = context.borrow();
        let current = context.as_ref()?;
        Some(f.take()?(&current.core))
    };
    CONTEXT.try_with(own).ok().flatten().or_else(|| with_attached(f?))
}

/// The runtime that this library is attached to, in a plug-in.
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

/// Whether a thread may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MayBlock {
    /// It belongs to a runtime, or drives a future.
    No,
    /// It has entered a runtime, which does not show what else the thread does.
    Unknown,
    /// It belongs to no runtime and has entered none.
    Yes,
}

fn origin() -> Option<Origin> {
    CONTEXT.try_with(|context| context.borrow().as_ref().map(|current| current.origin)).ok()?
}

/// Whether the calling thread belongs to a Loom runtime, and runs blocking work and no tasks.
#[cfg(feature = "plugin-host")]
pub(crate) fn runs_blocking_work() -> bool {
    origin() == Some(Origin::Worker) && runtime::worker_index().is_none()
}

pub(crate) fn may_block() -> MayBlock {
    let origin =
        CONTEXT.try_with(|context| context.borrow().as_ref().map(|current| current.origin));
    match origin {
        _ if user_code::is_refused() => MayBlock::No,
        Ok(Some(Origin::Guard)) => MayBlock::Unknown,
        Ok(None) => match Handle::try_current() {
            Err(error) if error.is_missing_context() => MayBlock::Yes,
            _ => MayBlock::No,
        },
        // While its thread-locals are destroyed, another thread may be waiting for this one.
        Ok(Some(Origin::Worker | Origin::BlockOn)) | Err(_) => MayBlock::No,
    }
}

/// Replaces the context; the caller drops the old one, outside of the borrow.
fn replace(context: Option<Current>) -> Option<Current> {
    // A thread that is being torn down has no context.
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
