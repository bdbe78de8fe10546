//! Calls that are refused in place of waiting.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::bridge::Fault;
use crate::core::Refusal;

use super::deadline::DeadlineExceeded;
use super::entering::unwilling;
use super::fallible::ComputeError;

/// Awaits a call of an annotated function that would rather be refused than wait, and returns its failure as an
/// error.
///
/// It is refused where as many calls of the function run as may (`max_concurrent`), and where it would be offloaded
/// while `compute_queue` calls wait already. A call that was refused has not run. What the call itself calls
/// may wait; of another future, only the first compute call of its first poll counts.
///
/// Cost: one `catch_unwind` for each poll.
///
/// # Errors
///
/// [`ComputeError::AtLimit`] and [`ComputeError::QueueFull`] as said, [`ComputeError::Exceeded`] where the call had no
/// time left, [`ComputeError::Panicked`] with the panic of the call.
///
/// ```
/// use loom::{ComputeError, try_call};
///
/// #[loom::compute(mode = "offload", max_concurrent = 1)]
/// fn hash(password: String) -> usize {
///     password.len()
/// }
///
/// # #[loom::main]
/// # async fn main() {
/// match try_call(hash("secret".to_owned())).await {
///     Ok(hash) => assert_eq!(hash, 6),
///     Err(ComputeError::AtLimit { limit }) => println!("{limit} calls run already"),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
pub fn try_call<F: Future>(call: F) -> TryCall<F> {
    TryCall { call, is_first: true }
}

pin_project! {
    /// The future of [`try_call`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct TryCall<F> {
        #[pin]
        call: F,
        is_first: bool,
    }
}

impl<F: Future> Future for TryCall<F> {
    type Output = Result<F::Output, ComputeError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let poll = || {
            if mem::take(this.is_first) {
                unwilling(|| this.call.poll(cx))
            } else {
                this.call.poll(cx)
            }
        };
        let payload = match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(polled) => return polled.map(Ok),
            Err(payload) => payload,
        };
        let payload = match payload.downcast::<Refusal>() {
            Ok(refusal) => return Poll::Ready(Err((*refusal).into())),
            Err(payload) => payload,
        };
        Poll::Ready(Err(match payload.downcast::<DeadlineExceeded>() {
            Ok(error) => ComputeError::Exceeded(*error),
            Err(payload) => Fault::Panicked(payload).into(),
        }))
    }
}

impl<F> fmt::Debug for TryCall<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryCall").finish_non_exhaustive()
    }
}
