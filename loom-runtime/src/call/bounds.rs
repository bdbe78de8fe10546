//! What arguments and results of annotated functions have to be, and what values their attributes take.

use crate::core::Core;
use crate::scheduler::Magnitude;
use crate::sync::Arc;

/// An argument, which goes to the thread where the call may run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another thread, where the call may run",
    label = "this argument is not `Send`",
    note = "take what can be sent, such as `Arc` in place of `Rc`, or `Mutex` in place of a borrowed `RefCell`; or make it within the function"
)]
pub trait Argument: Send {}

impl<T: Send> Argument for T {}

/// A result, which comes back from the thread where the call may have run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent back from another thread, where the call may run",
    label = "this result is not `Send`",
    note = "give what can be sent, such as `Arc` in place of `Rc`"
)]
pub trait Outcome: Send {}

impl<T: Send> Outcome for T {}

/// Converts any whole number to a size. The size is computed in a closure, so that a `return` or
/// a `?` in its expression does not leave the annotated function.
pub fn magnitude<N: Magnitude>(size: impl FnOnce() -> N) -> u64 {
    size().magnitude()
}

/// The runtime that the attribute's expression returned.
#[derive(Debug)]
pub struct On(pub(super) Arc<Core>);

impl On {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self(Arc::clone(core))
    }
}
