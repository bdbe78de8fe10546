//! Waiting for a task, and ending it.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::error::JoinError;
use super::task::{Handle, TaskId};

/// Awaits a task of an [`Executor`](super::Executor) or a local core, and may abort it.
///
/// Dropping it lets the task go on. It may be sent to other threads where the result may, awaited
/// there, and kept after the executor has gone: a task that the executor's end cut short says so.
///
/// Completes with a [`JoinError`] where the task panicked or was aborted. Awaited once more it
/// panics, as other futures do.
#[derive(Debug)]
pub struct JoinHandle<T> {
    handle: Handle<T>,
    id: Option<TaskId>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(handle: Handle<T>, id: Option<TaskId>) -> Self {
        Self { handle, id }
    }

    /// Ends the task, from any thread: its future is dropped on its own thread, and the handle
    /// completes with an error, unless the task completes before. One that sleeps goes to the head
    /// of the queue, and so ends in the next cycle; one that is queued ends when its turn comes.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Whether the task has completed, one way or another.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The task, for [`Executor::cancel`](super::Executor::cancel). None of what was spawned from
    /// another thread, which has no name there.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        self.id
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.handle.poll(cx).map(|outcome| outcome.expect("a handle is not awaited once more"))
    }
}
