//! The methods of tokio's `Runtime` that Loom has by another name.

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::error::Result;

use super::builder::LoomBuilder;
use super::handle::LoomRuntime;

/// By the names of tokio's `Runtime`, for programs that were written for it.
impl LoomRuntime {
    /// A runtime with the default settings, as [`LoomBuilder::build`] makes it.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomRuntime::new()?;
    /// let task = runtime.spawn(async { 6 * 7 });
    /// assert_eq!(runtime.block_on(task).ok(), Some(42));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the system refuses threads.
    pub fn new() -> Result<Self> {
        LoomBuilder::new().build()
    }

    /// The same as [`tokio_handle`](Self::tokio_handle): tokio's handle of the I/O side. Tasks that
    /// are spawned through it are not tracked.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.tokio_handle()
    }

    /// The same as [`spawn_async`](Self::spawn_async): the task is tracked.
    ///
    /// # Panics
    ///
    /// As [`spawn_async`](Self::spawn_async).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_async(future)
    }
}
