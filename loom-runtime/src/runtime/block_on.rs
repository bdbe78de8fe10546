//! Driving a future to its end on a thread of the caller's.

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rayon::{ThreadPool, Yield};

use crate::sync::{Arc, thread};

/// How long a compute thread without anything to help with sleeps before it looks again.
///
/// Work that is queued later does not wake a thread that waits here, so it has to look.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

/// Polls `future` on a thread of `pool`, running other work of the pool while it waits.
///
/// Blocking the thread instead could block the very work the future waits for.
pub(crate) fn help_until_ready<F: Future>(pool: &ThreadPool, future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // A wake during the help leaves its token, so the park returns at once.
        if pool.yield_now() != Some(Yield::Executed) {
            thread::park_timeout(LOOK_AGAIN);
        }
    }
}
