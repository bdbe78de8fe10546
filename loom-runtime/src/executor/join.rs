//! Waiting for a task, and ending it.
//!
//! The protocol of a handle is in `task/waker.rs`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::error::JoinError;
use super::task::{Handle, Reference, TaskId};

/// Awaits a task of an [`Executor`](super::Executor) or a local core, and may abort it.
///
/// Dropping the handle does not end the task. The handle is `Send` if the result is. It may be kept
/// after the executor was dropped: it then reports that a task which had not completed was
/// cancelled.
///
/// Completes with a [`JoinError`] if the task panicked or was cancelled. Polling the handle again
/// after it has returned its result panics, as with other futures.
#[derive(Debug)]
pub struct JoinHandle<T> {
    handle: Handle<T>,
    id: TaskId,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(handle: Handle<T>, id: TaskId) -> Self {
        Self { handle, id }
    }

    /// Ends the task, from any thread: its future is dropped on the executor's thread, and the
    /// handle completes with an error, unless the task completes before. A task that is being
    /// polled ends when this poll returns. A sleeping task goes to the front of the queue and ends
    /// in the next cycle. A queued task ends at its place in the queue. The call does not wait for
    /// the end. If the drop of the future panics, the handle reports that panic.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// A handle that can end the task and does not await it, for any number of threads.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().local_cores(1).build()?;
    /// let task = runtime.local(0).spawn_with(|| std::future::pending::<()>());
    /// let abort = task.abort_handle();
    /// std::thread::spawn(move || abort.abort());
    /// let ended = runtime.block_on(task);
    /// assert!(ended.is_err_and(|error| error.is_cancelled()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { task: self.handle.reference(), id: self.id }
    }

    /// Whether the task has completed: with a result, by a panic, or cancelled.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The task's id, for example for [`Executor::cancel`](super::Executor::cancel).
    #[must_use]
    pub fn id(&self) -> TaskId {
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

/// Ends a task from any thread; see [`JoinHandle::abort_handle`].
///
/// Dropping it does nothing to the task. It keeps the memory of the task, which may be a slot of
/// the executor, and the waker of the task that awaited it, and not the future or its result. So
/// do not keep one for long after its task has ended.
#[derive(Clone)]
pub struct AbortHandle {
    task: Reference,
    id: TaskId,
}

impl AbortHandle {
    /// As [`JoinHandle::abort`].
    pub fn abort(&self) {
        self.task.abort();
    }

    /// As [`JoinHandle::is_finished`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// As [`JoinHandle::id`].
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id)
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
