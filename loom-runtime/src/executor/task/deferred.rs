//! A future that is made where it will run.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// First a function, which is `Send`, then the future that it returns, which need not be.
    #[project = DeferredProjection]
    pub(super) enum Deferred<M, F> {
        Make { make: Option<M> },
        Made { #[pin] future: F },
    }
}

impl<M: FnOnce() -> F, F: Future> Future for Deferred<M, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let DeferredProjection::Make { make } = self.as_mut().project() {
            let make = make.take().expect("a task whose future panicked is not polled again");
            self.set(Self::Made { future: make() });
        }
        match self.project() {
            DeferredProjection::Made { future } => future.poll(cx),
            DeferredProjection::Make { .. } => unreachable!("the future was made above"),
        }
    }
}
