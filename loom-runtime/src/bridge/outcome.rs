//! How a call may end, and the observer that counts it.

use std::any::Any;

/// Why there is no result.
pub(crate) enum Fault {
    /// The closure panicked, with this payload.
    Panicked(Box<dyn Any + Send>),
    /// The job was dropped without being run, or its observer refused it.
    Refused,
}

/// What the closure came to.
pub(crate) type Outcome<R> = Result<R, Fault>;

/// The order in which queued work starts.
///
/// Work of higher priority starts before work of lower priority that came earlier. Work that was
/// passed over sixteen times in a row goes next, whatever its priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Whatever can wait: precomputation, clean-up.
    Low,
    /// What most work is.
    #[default]
    Normal,
    /// Work that a caller is waiting for.
    High,
}

/// How a job ended, for its observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It ran, and did not panic.
    Returned,
    /// It ran and panicked.
    Panicked,
    /// It never ran, since its call was dropped.
    Cancelled,
    /// It never ran, since no thread was left to run it.
    Refused,
}

/// Travels with a call, and is called once with its end (B6).
pub(crate) trait Observer: Send {
    /// A value that is kept until the waiting task was woken, so it may outlive the call's borrows.
    type After: 'static;

    /// Asked when the work is about to run; false to refuse it.
    fn may_start(&self) -> bool;

    /// The call was dropped before it started; the closure is dropped next.
    fn withdraw(&self);

    /// The closure was dropped, and so was an unwanted outcome. A panic of this is caught.
    /// `unwanted` says that the call had been polled and was dropped.
    fn end(self, end: End, unwanted: bool) -> Self::After;
}
