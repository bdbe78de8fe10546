//! Futures that find the plug-in's own tokio, on whichever thread they are polled.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;

use crate::core::TokioContext;

thread_local! {
    /// Whether a poll further down on this stack already has tokio's budget. Tokio sets only one,
    /// since it does not drive a future within another.
    static HAS_BUDGET: Cell<bool> = const { Cell::new(false) };
}

pin_project! {
    /// A future that is polled within the plug-in's own tokio; made by
    /// [`Attached::within`](super::Attached::within).
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Within<F> {
        // `None` while this is dropped.
        #[pin]
        future: Option<F>,
        driver: Handle,
        context: TokioContext,
    }

    impl<F> PinnedDrop for Within<F> {
        fn drop(this: Pin<&mut Self>) {
            // Destructors find the same tokio context as polls.
            let mut this = this.project();
            let enters = *this.context != TokioContext::None && can_enter();
            let _entered = enters.then(|| this.driver.enter());
            this.future.set(None);
        }
    }
}

impl<F> Within<F> {
    pub(crate) fn new(future: F, driver: Handle, context: TokioContext) -> Self {
        Self { future: Some(future), driver, context }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future.as_pin_mut().expect("it is there until it is dropped");
        match this.context {
            TokioContext::Budget => with_budget(this.driver, || future.poll(cx)),
            TokioContext::Entered => {
                let _entered = this.driver.enter();
                future.poll(cx)
            }
            TokioContext::None => future.poll(cx),
        }
    }
}

/// Whether a tokio runtime can be entered here. A thread that ends may drop a future after tokio's
/// thread-local has gone, where `enter` panics.
fn can_enter() -> bool {
    !Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed())
}

/// Calls `f` as tokio would poll a task.
///
/// Tokio sets its budget only where it drives a future, so this makes it drive a future that calls
/// `f` and is ready at once.
#[inline]
fn with_budget<R>(driver: &Handle, f: impl FnOnce() -> R) -> R {
    struct Has;
    impl Drop for Has {
        fn drop(&mut self) {
            HAS_BUDGET.set(false);
        }
    }
    if HAS_BUDGET.get() {
        // The poll below may have entered another driver.
        let _entered = driver.enter();
        return f();
    }
    // Where a tokio runtime of this library already drives the thread, there is a budget, and
    // tokio would refuse to drive another future.
    if Handle::try_current().is_ok() {
        let _entered = driver.enter();
        return f();
    }
    let _has = Has;
    HAS_BUDGET.set(true);
    driver.block_on(Once(Some(f)))
}

/// A future that calls its closure, and is ready at once.
struct Once<F>(Option<F>);

// The closure is only moved out, never pinned.
impl<F> Unpin for Once<F> {}

impl<R, F: FnOnce() -> R> Future for Once<F> {
    type Output = R;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<R> {
        let f = self.0.take().expect("it is polled once");
        Poll::Ready(f())
    }
}

impl<F> fmt::Debug for Within<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Within").field("context", &self.context).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use crate::sync::{mpsc, thread};

    use super::*;

    /// Sends whether tokio's thread-local has gone when this is dropped.
    struct Sends(mpsc::Sender<bool>);

    impl Drop for Sends {
        fn drop(&mut self) {
            let _ = self.0.send(!can_enter());
        }
    }

    thread_local! {
        static LAST: RefCell<Option<Box<dyn Future<Output = ()>>>> = const { RefCell::new(None) };
    }

    #[test]
    fn it_is_dropped_where_tokio_has_gone_from_a_thread_that_ends() {
        let tokio = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        let driver = tokio.handle().clone();
        let (sender, seen) = mpsc::channel();
        let thread = thread::spawn(move || {
            // A thread drops what it used first at the end, so after tokio's.
            LAST.set(None);
            let sends = Sends(sender);
            let future = async move {
                let _sends = sends;
                pending::<()>().await;
            };
            let within = Within::new(future, driver, TokioContext::Entered);
            drop(Handle::try_current());
            LAST.set(Some(Box::new(within)));
        });
        assert!(thread.join().is_ok(), "the thread ends");
        assert_eq!(seen.recv(), Ok(true), "the case that this tests");
    }
}
