//! Runs user code whose panic cannot be reported to a caller, and keeps its wakers.
//!
//! Owns no policy: the callers decide that their thread has to go on in spite of a panic.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Drops a value whose `Drop` may panic, on a thread that has to go on.
pub(crate) fn drop_ignoring_panic<T>(value: T) {
    ignore_panic(|| drop(value));
}

/// The text of a panic, if its payload is one.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Runs `f`, and drops the payload of its panic.
pub(crate) fn ignore_panic(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        drop_payload(payload);
    }
}

#[cold]
fn drop_payload(payload: Box<dyn Any + Send>) {
    // Its drop may panic, too. The second payload is leaked: leaking one value of a program whose
    // destructors panic is better than losing a thread that all calls need.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
}

/// A waker of the program that is kept for later. Neither its call nor its drop panics, so it may be
/// part of a list or a struct that is dropped as a whole: there, a second panic would end the process.
#[derive(Debug)]
pub(crate) struct KeptWaker(Waker);

impl KeptWaker {
    /// # Panics
    ///
    /// If the clone panics.
    pub(crate) fn of(waker: &Waker) -> Self {
        Self(waker.clone())
    }

    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        self.0.will_wake(waker)
    }

    pub(crate) fn wake_by_ref(&self) {
        ignore_panic(|| self.0.wake_by_ref());
    }

    /// Wakes, and then drops the waker. By reference, since [`Waker::wake`] drops the waker while a
    /// panic of it unwinds, and a panic of that drop would end the process.
    pub(crate) fn wake(self) {
        self.wake_by_ref();
    }
}

impl From<Waker> for KeptWaker {
    fn from(waker: Waker) -> Self {
        Self(waker)
    }
}

impl Drop for KeptWaker {
    fn drop(&mut self) {
        drop_ignoring_panic(mem::replace(&mut self.0, Waker::noop().clone()));
    }
}

/// Which threads may run code of the user: closures, destructors and wakers.
pub(crate) mod user_code {
    use std::cell::Cell;

    thread_local! {
        static IS_REFUSED: Cell<bool> = const { Cell::new(false) };
    }

    /// The calling thread runs none from now on, since every other thread may wait for it.
    pub(crate) fn refuse() {
        IS_REFUSED.set(true);
    }

    pub(crate) fn is_refused() -> bool {
        IS_REFUSED.get()
    }

    /// Called where code of the user may run.
    #[inline]
    pub(crate) fn runs_here() {
        debug_assert!(!is_refused(), "this thread runs no code of the user");
    }
}
