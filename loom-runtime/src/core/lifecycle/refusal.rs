//! Why a runtime refuses work, and the text for it.

use std::fmt;

/// Why work is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    ShutDown,
    Forked,
    NoPool,
    /// This many compute calls wait already.
    QueueFull(usize),
    /// So many calls of the function run already.
    AtLimit(usize),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::QueueFull(limit) => {
                return write!(
                    f,
                    "{limit} compute calls wait already: try later, shed load, or raise \
                     `compute_queue`"
                );
            }
            Self::AtLimit(limit) => {
                return write!(
                    f,
                    "{limit} calls of the function run already (`max_concurrent`): try later, shed load, \
                     or await the call, which then waits"
                );
            }
            Self::ShutDown => {
                "the runtime has been shut down: it takes no new work once `block_until_idle`, \
                 `wait_for_shutdown`, `shutdown_timeout` or `shutdown_background` has ended it, \
                 or its last handle is gone; finish the work before, or keep the runtime until \
                 it has ended"
            }
            Self::Forked => {
                "this process was forked, and the threads of its runtimes stayed in the parent, \
                 with the locks that they held: `exec` a program, or fork before the first \
                 runtime is built"
            }
            Self::NoPool => {
                "the system refused every compute thread: raise the limit on threads \
                 (`ulimit -u`), or build a `LoomRuntime` with fewer `rayon_threads`"
            }
        })
    }
}
