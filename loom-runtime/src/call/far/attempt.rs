//! The failures of far calls as values.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::core::FleetError;

/// Awaits a call, and returns an error where the call has no result: its process was lost, its time is up, or
/// it panicked.
///
/// It works with any future. A panic is caught on each arm, so that what a call returns does not depend on
/// where it ran. A panic whose payload is no text is raised again.
///
/// Cost: one `catch_unwind` for each poll.
///
/// # Errors
///
/// See [`FleetError`].
///
/// ```
/// use loom::fleet::{FleetError, attempt};
///
/// #[loom::compute(fleet)]
/// fn shrink(image: Vec<u8>) -> Vec<u8> {
///     assert!(!image.is_empty(), "there is no image");
///     image
/// }
///
/// # #[loom::main]
/// # async fn main() {
/// assert_eq!(attempt(shrink(vec![1])).await, Ok(vec![1]));
/// assert_eq!(attempt(shrink(vec![])).await, Err(FleetError::Panicked("there is no image".into())));
/// # }
/// ```
pub fn attempt<F: Future>(call: F) -> Attempt<F> {
    Attempt { call }
}

pin_project! {
    /// The future of [`attempt`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Attempt<F> {
        #[pin]
        call: F,
    }
}

impl<F: Future> Future for Attempt<F> {
    type Output = Result<F::Output, FleetError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = self.project().call;
        match catch_unwind(AssertUnwindSafe(|| call.poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(error_of(payload))),
        }
    }
}

fn error_of(payload: Box<dyn Any + Send>) -> FleetError {
    let payload = match payload.downcast::<FleetError>() {
        Ok(error) => return *error,
        Err(payload) => payload,
    };
    if let Some(text) = payload.downcast_ref::<&str>() {
        return FleetError::Panicked((*text).to_owned());
    }
    match payload.downcast::<String>() {
        Ok(text) => FleetError::Panicked(*text),
        Err(payload) => resume_unwind(payload),
    }
}

impl<F> fmt::Debug for Attempt<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}
