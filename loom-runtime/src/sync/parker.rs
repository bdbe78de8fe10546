//! Sleep until a waker of one's own is woken.

use std::task::{Wake, Waker};
use std::time::Instant;

use super::{Arc, Flag, thread};

/// Parks a thread until a waker of its own is woken.
///
/// Unlike the thread's own token, a wake is not lost if other code parks the thread meanwhile, such
/// as a channel of std's, or a waker or a future of the program.
pub(crate) struct Parker(Arc<Signal>);

struct Signal {
    thread: thread::Thread,
    is_woken: Flag,
}

impl Parker {
    /// For the calling thread.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Signal { thread: thread::current(), is_woken: Flag::new() }))
    }

    pub(crate) fn waker(&self) -> Waker {
        Arc::clone(&self.0).into()
    }

    /// Parks the thread, which has to be the one of [`new`](Self::new).
    pub(crate) fn park(&self) {
        while !self.0.is_woken.take() {
            thread::park();
        }
    }

    /// Parks for so long at most.
    pub(crate) fn park_until(&self, time: Instant) {
        while !self.0.is_woken.take() {
            match time.checked_duration_since(Instant::now()) {
                Some(left) => thread::park_timeout(left),
                None => return,
            }
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.raise();
        self.thread.unpark();
    }
}
