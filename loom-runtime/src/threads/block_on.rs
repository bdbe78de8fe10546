//! Driving a future to its end on a thread of the caller's.

use std::cell::{Cell, OnceCell};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rayon::{ThreadPool, Yield};

use crate::bridge::without_current_call;
use crate::sync::{Arc, thread, unpark_waker};

use crate::core::Core;

/// How long a compute thread without anything to help with sleeps before it looks again.
///
/// Work that is queued later does not wake a thread that waits here, so it has to look.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

/// How many calls that wait may stand on one another on a thread before it only waits.
///
/// Each takes stack below the one it helps, and a stack that overflows ends the process.
const DEEPEST: usize = 32;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Whose compute thread this is, whatever context it has entered meanwhile.
    static OWNER: OnceCell<Arc<Core>> = const { OnceCell::new() };
}

/// This is a compute thread of that core for as long as it lives.
pub(crate) fn serve(core: Arc<Core>) {
    // It is said once, at its start.
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

/// Polls `future` on a thread of `pool`, the core's, running other work while it waits:
/// compute calls as well as what was given to the pool directly.
///
/// Blocking the thread instead could block the very work the future waits for. Work that is
/// run meanwhile has to end before the wait can: what holds an async lock here must not wait
/// for work that takes the same lock on this pool.
pub(crate) fn help_until_ready<F: Future>(core: &Core, pool: &ThreadPool, future: F) -> F::Output {
    let level = Level::enter();
    let waker = unpark_waker();
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        if !level.is_too_deep()
            && let Some(call) = core.queue.start_next()
        {
            without_current_call(|| call.run());
            continue;
        }
        // A wake during the help leaves its token, so the park returns at once.
        if level.is_too_deep() || without_current_call(|| pool.yield_now()) != Some(Yield::Executed)
        {
            thread::park_timeout(LOOK_AGAIN);
        }
    }
}

/// Keeps a compute thread busy with work of its own pool until something has happened.
pub(crate) fn help_until(has_happened: impl Fn() -> bool) {
    let level = Level::enter();
    let core = OWNER.try_with(|owner| owner.get().cloned()).ok().flatten();
    while !has_happened() {
        if !level.is_too_deep()
            && let Some(call) = core.as_ref().and_then(|core| core.queue.start_next())
        {
            without_current_call(|| call.run());
        } else if level.is_too_deep()
            || without_current_call(rayon::yield_now) != Some(Yield::Executed)
        {
            thread::park_timeout(LOOK_AGAIN);
        }
    }
}
