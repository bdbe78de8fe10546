//! A future that is made where it will run.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// First a function, which can be sent, then the future it returns, which may not.
    #[project = LateProjection]
    pub(super) enum Deferred<M, F> {
        Make { make: Option<M> },
        Made { #[pin] future: F },
    }
}

impl<M: FnOnce() -> F, F: Future> Future for Deferred<M, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let LateProjection::Make { make } = self.as_mut().project() {
            let make = make.take().expect("a task whose function panicked is not polled again");
            self.set(Self::Made { future: make() });
        }
        match self.project() {
            LateProjection::Made { future } => future.poll(cx),
            LateProjection::Make { .. } => unreachable!("it has just been made"),
        }
    }
}
