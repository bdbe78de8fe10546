//! Which runtime the current thread belongs to.
//!
//! Workers are given their context once, at their start; `block_on` lends one to its
//! thread and puts back what was there before, so that nesting loses nothing.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::sync::Arc;

use super::core::Core;

thread_local! {
    static CONTEXT: RefCell<Option<Arc<Core>>> = const { RefCell::new(None) };
}

/// Gives the calling thread its context for as long as it lives.
pub(crate) fn adopt(core: Arc<Core>) {
    replace(Some(core));
}

/// Lends the calling thread a context until the guard is dropped.
pub(crate) fn enter(core: Arc<Core>) -> EnteredContext {
    EnteredContext { outer: replace(Some(core)), not_send: PhantomData }
}

pub(crate) struct EnteredContext {
    outer: Option<Arc<Core>>,
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
    CONTEXT.try_with(|context| context.borrow().clone()).ok().flatten()
}

/// Swaps the context; the old one is dropped by the caller, outside the borrow.
fn replace(context: Option<Arc<Core>>) -> Option<Arc<Core>> {
    // A thread that is being torn down has no context to keep.
    CONTEXT.try_with(|slot| slot.replace(context)).ok().flatten()
}
