//! How a call may end, its priority, and the observer that counts it.

use std::any::Any;

/// Why a call has no result.
pub(crate) enum Fault {
    /// The closure panicked, with this payload.
    Panicked(Box<dyn Any + Send>),
    /// The job was dropped without being run, or its observer refused it.
    Refused,
}

/// What a call resolves to: the closure's result, or the fault.
pub(crate) type Outcome<R> = Result<R, Fault>;

/// The order in which queued work starts.
///
/// Work of higher priority starts before work of lower priority that came earlier. Work that was
/// passed over sixteen times in a row goes next, whatever its priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Work that can wait: precomputation, clean-up.
    Low,
    /// Most work.
    #[default]
    Normal,
    /// Work that a caller is waiting for.
    High,
}

impl Priority {
    pub(crate) const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];
}

/// How a job is treated while it waits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queueing {
    pub(crate) priority: Priority,
    /// How many microseconds the job is expected to run, if that is known.
    pub(crate) micros: Option<u32>,
}

impl From<Priority> for Queueing {
    fn from(priority: Priority) -> Self {
        Self { priority, micros: None }
    }
}

/// How a job ended, for its observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The closure ran, and did not panic.
    Returned,
    /// The closure ran, and panicked.
    Panicked,
    /// The closure never ran, since its call was dropped.
    Cancelled,
    /// The closure never ran, since the job was dropped or the observer refused it.
    Refused,
}

/// Travels with a call, and is called once with its end (B6).
pub(crate) trait Observer: Send {
    /// A value that is dropped after the waiting task was woken, so it may outlive the call's
    /// borrows.
    type After: 'static;

    /// Called when the closure is about to run, and while it runs. False refuses the call.
    fn may_start(&self) -> bool;

    /// Called when the call was dropped before the closure started; the closure is dropped next.
    fn withdraw(&self);

    /// Called after the drop of the closure, and of an outcome that no caller will take. A panic
    /// in here is caught. `unwanted`: the call had been polled, and was dropped.
    fn end(self, end: End, unwanted: bool) -> Self::After;
}
