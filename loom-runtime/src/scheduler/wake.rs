//! What has made a future ready for its next poll.

use std::fmt;

/// What the next poll of a compute future follows: by this its run time is foretold.
///
/// A future that reads from a socket, and computes when a channel has delivered a batch, has brief
/// polls after the one kind of wake and long ones after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wake {
    /// Nothing: it is the first poll.
    Begin,
    /// The future itself, while it was polled, as [`yield_now`](crate::yield_now) does.
    Itself,
    /// The runtime's driver: a socket, a timer.
    Driver,
    /// Another task, as the sender of a channel.
    Task,
    /// A thread that runs no task: a compute thread, a blocking one, one of the program's own.
    Thread,
    /// Any of these: the poll was made with the waker of the awaiting task, and nothing tells.
    Any,
}

impl Wake {
    /// By class.
    pub(crate) const ALL: [Self; 6] =
        [Self::Begin, Self::Itself, Self::Driver, Self::Task, Self::Thread, Self::Any];
}

impl Wake {
    /// The polls that follow it, in an explanation and on the page.
    pub(crate) fn polls(self) -> &'static str {
        match self {
            Self::Begin => "first polls",
            Self::Itself => "polls that it asked for itself",
            Self::Driver => "polls after a wake by the driver",
            Self::Task => "polls after a wake by a task",
            Self::Thread => "polls after a wake by a thread",
            Self::Any => "polls after any wake",
        }
    }
}

/// As in "after a task".
impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin => "the call",
            Self::Itself => "itself",
            Self::Driver => "the driver",
            Self::Task => "a task",
            Self::Thread => "a thread",
            Self::Any => "any wake",
        })
    }
}
