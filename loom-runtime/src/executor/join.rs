//! Waiting for a task, and ending it.
//!
//! The protocol of a handle is in `task/waker.rs`.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::error::JoinError;
use super::task::{Handle, TaskId};

/// Awaits a task of an [`Executor`](super::Executor) or a local core, and may abort it.
///
/// Dropping the handle does not end the task. The handle is `Send` if the result is. It may be kept
/// after the executor was dropped: it then reports that a task which had not completed was
/// cancelled.
///
/// Completes with a [`JoinError`] if the task panicked or was aborted. Polling a completed handle
/// panics, as with other futures.
#[derive(Debug)]
pub struct JoinHandle<T> {
    handle: Handle<T>,
    id: Option<TaskId>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(handle: Handle<T>, id: Option<TaskId>) -> Self {
        Self { handle, id }
    }

    /// Ends the task, from any thread: its future is dropped on the executor's thread, and the
    /// handle completes with an error, unless the task completes before. A sleeping task goes to
    /// the front of the queue and ends in the next cycle. A queued task ends at its place in the
    /// queue.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Whether the task has completed: with a result, by a panic, or cancelled.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The task's id, for [`Executor::cancel`](super::Executor::cancel). `None` for a task that a
    /// [`RemoteSpawner`](super::RemoteSpawner) made, which gets its id only in a later cycle.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        self.id
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.handle.poll(cx);
        outcome.map(|outcome| outcome.expect("a completed `JoinHandle` is not polled again"))
    }
}
