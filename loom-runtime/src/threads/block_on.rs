//! Waits on a compute thread: the thread runs other work until a future is ready or a condition
//! holds.

use std::cell::{Cell, OnceCell};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rayon::Yield;

use crate::bridge::without_current_call;
use crate::sync::{Arc, thread, unpark_waker};

use crate::core::Core;

/// How long a waiting compute thread that finds no other work sleeps before it checks again.
///
/// Work that is queued later does not wake a thread that waits here, so the thread has to check.
const CHECK_AGAIN: Duration = Duration::from_micros(100);

/// How many waits may be nested on one thread. In a deeper one, the thread runs no other work.
///
/// Each nested wait takes stack, and a stack overflow ends the process.
const DEEPEST: usize = 32;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// The core to whose pool this compute thread belongs, whatever context it has entered
    /// meanwhile.
    static OWNER: OnceCell<Arc<Core>> = const { OnceCell::new() };
}

/// Makes the calling thread a compute thread of `core` until the thread ends.
pub(crate) fn serve(core: Arc<Core>) {
    // It is set once, when the thread starts.
    let _ = OWNER.with(|owner| owner.set(core));
}

/// One wait on this thread, counted while it lasts.
struct Level(usize);

impl Level {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self(DEPTH.get())
    }

    fn is_too_deep(&self) -> bool {
        self.0 > DEEPEST
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Polls `future` on a compute thread of the core. While the future is pending, the thread runs
/// other work: compute calls, and work that was given to the pool directly.
///
/// If the thread blocked instead, it could block the very work that the future waits for. Work that
/// runs meanwhile has to end before the wait can end. So a caller that holds an async lock must not
/// wait here for work that takes the same lock on this pool.
pub(crate) fn help_until_ready<F: Future>(core: &Core, future: F) -> F::Output {
    let level = Level::enter();
    let waker = unpark_waker();
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        if !level.is_too_deep()
            && is_of_current_pool(core)
            && let Some(call) = core.queue.start_next()
        {
            without_current_call(|| call.run());
            continue;
        }
        // A wake-up that comes while other work runs leaves its token, so the park returns at once.
        if level.is_too_deep() || without_current_call(rayon::yield_now) != Some(Yield::Executed) {
            thread::park_timeout(CHECK_AGAIN);
        }
    }
}

/// Whether this thread may take calls. Threads of a pool that is not used any more may get no CPU
/// time; drainers of the other pool run the calls (`auto_priority`).
fn is_of_current_pool(core: &Core) -> bool {
    core.pools().is_none_or(|pools| pools.is_current_here())
}

/// Runs work of its own pool on a compute thread until `has_happened` returns true.
pub(crate) fn help_until(has_happened: impl Fn() -> bool) {
    let level = Level::enter();
    let core = OWNER.try_with(|owner| owner.get().cloned()).ok().flatten();
    while !has_happened() {
        if !level.is_too_deep()
            && let Some(call) = core
                .as_ref()
                .filter(|core| is_of_current_pool(core))
                .and_then(|core| core.queue.start_next())
        {
            without_current_call(|| call.run());
        } else if level.is_too_deep()
            || without_current_call(rayon::yield_now) != Some(Yield::Executed)
        {
            thread::park_timeout(CHECK_AGAIN);
        }
    }
}
