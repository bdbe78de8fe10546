//! What a call may come to, and who is told of it.

use std::any::Any;

/// Why there is no result.
pub(crate) enum Fault {
    /// The closure panicked; this is what it threw.
    Panicked(Box<dyn Any + Send>),
    /// The job was dropped without being run, or its ticket said no.
    Refused,
}

/// What the closure came to.
pub(crate) type Outcome<R> = Result<R, Fault>;

/// What goes first where work waits.
///
/// Work of higher priority starts before work of lower priority that came earlier, but not
/// for ever: what was passed over sixteen times in a row goes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Whatever can wait: precomputation, clean-up.
    Low,
    /// What most work is.
    #[default]
    Normal,
    /// What somebody is waiting for.
    High,
}

/// How a job ended, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It ran, and did not panic.
    Returned,
    /// It ran and panicked.
    Panicked,
    /// It never ran, since its caller had gone.
    Cancelled,
    /// It never ran, since there was nobody to run it.
    Refused,
}

/// Goes with a call, and is told how it ended (B6).
pub(crate) trait Observer: Send {
    /// What is kept until whoever waits has been woken, and so may outlive what the call borrows.
    type After: 'static;

    /// Asked when the work is about to run; false to refuse it.
    fn may_start(&self) -> bool;

    /// The caller has gone before it started; the closure is dropped next.
    fn withdraw(&self);

    /// The closure is gone, and so is an outcome that nobody wants. A panic goes no further.
    /// `unwanted` says that a caller had waited and has gone.
    fn end(self, end: End, unwanted: bool) -> Self::After;
}
