//! Which runtime the current thread belongs to.
//!
//! Workers are given their context once, at their start; `block_on` lends one to its
//! thread and puts back what was there before, so that nesting loses nothing.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::sync::Arc;

use super::core::Core;

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// What a thread is doing for its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadRole {
    /// An I/O worker, a blocking thread, or a thread inside `block_on`.
    Tokio,
    /// A thread of the compute pool.
    Compute,
}

#[derive(Clone)]
struct Context {
    core: Arc<Core>,
    role: ThreadRole,
}

/// Gives the calling thread its context for as long as it lives.
pub(crate) fn adopt(core: Arc<Core>, role: ThreadRole) {
    replace(Some(Context { core, role }));
}

/// Lends the calling thread a context until the guard is dropped.
pub(crate) fn enter(core: Arc<Core>, role: ThreadRole) -> EnteredContext {
    EnteredContext { outer: replace(Some(Context { core, role })), not_send: PhantomData }
}

pub(crate) struct EnteredContext {
    outer: Option<Context>,
    /// It puts the context back on the thread it was taken from.
    not_send: PhantomData<*const ()>,
}

impl Drop for EnteredContext {
    fn drop(&mut self) {
        replace(self.outer.take());
    }
}

/// The core of the current thread's runtime, if it has one.
pub(crate) fn current() -> Option<Arc<Core>> {
    CONTEXT
        .try_with(|context| context.borrow().as_ref().map(|c| Arc::clone(&c.core)))
        .ok()
        .flatten()
}

/// Whether the current thread belongs to `core` in that role.
pub(crate) fn is_thread_of(core: &Arc<Core>, role: ThreadRole) -> bool {
    CONTEXT
        .try_with(|context| {
            context.borrow().as_ref().is_some_and(|c| c.role == role && Arc::ptr_eq(&c.core, core))
        })
        .unwrap_or(false)
}

/// Swaps the context; the old one is dropped by the caller, outside the borrow.
fn replace(context: Option<Context>) -> Option<Context> {
    // A thread that is being torn down has no context to keep.
    CONTEXT.try_with(|slot| slot.replace(context)).ok().flatten()
}
