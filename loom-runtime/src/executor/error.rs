//! How a task ended without a result.

use std::any::Any;
use std::fmt;

use crate::sync::{Mutex, PoisonError};

/// Why a task has no result.
pub struct JoinError(Cause);

enum Cause {
    Cancelled,
    /// Behind a lock, so that the error is `Sync` although the panic payload may not be.
    Panicked(Mutex<Box<dyn Any + Send>>),
}

impl JoinError {
    pub(crate) fn cancelled() -> Self {
        Self(Cause::Cancelled)
    }

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self(Cause::Panicked(Mutex::new(payload)))
    }

    /// Whether the task was cancelled: by an abort, by the executor's `cancel` or `cancel_all`, or
    /// because its executor or local core ended first.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Cause::Cancelled)
    }

    /// Whether the task panicked, or its future's drop did.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        !self.is_cancelled()
    }

    /// The payload of the task's panic, to be read or resumed.
    ///
    /// # Errors
    ///
    /// The error itself, if it was not a panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.0 {
            Cause::Panicked(payload) => {
                Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner))
            }
            Cause::Cancelled => Err(self),
        }
    }

    /// The payload of the task's panic, to be read or resumed.
    ///
    /// # Panics
    ///
    /// If the task was cancelled; see [`try_into_panic`](Self::try_into_panic).
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        let cancelled = "`into_panic` of a task that was cancelled and did not panic: call \
                         `is_panic` first, or `try_into_panic`";
        self.try_into_panic().expect(cancelled)
    }

    /// The text of the panic payload, if it is a string.
    fn text(&self) -> Option<String> {
        let Cause::Panicked(payload) = &self.0 else { return None };
        let payload = payload.lock().unwrap_or_else(PoisonError::into_inner);
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.text()) {
            (Cause::Cancelled, _) => f.write_str("the task was aborted, or its executor ended"),
            (Cause::Panicked(_), Some(text)) => write!(f, "the task panicked: {text}"),
            (Cause::Panicked(_), None) => f.write_str("the task panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Cancelled => f.write_str("JoinError::Cancelled"),
            Cause::Panicked(_) => write!(f, "JoinError::Panicked({:?})", self.text()),
        }
    }
}

impl std::error::Error for JoinError {}
