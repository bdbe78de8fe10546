//! Futures whose polls run on the compute pool, spawned by hand.

use crate::call::{SpawnedFuture, TrySpawnedFuture, current_core, spawned_future, try_future};

use super::handle::LoomRuntime;

impl LoomRuntime {
    /// Starts a future whose polls all run on this runtime's compute pool.
    ///
    /// The runtime's sockets, timers and tasks work in it as they do on a worker, and so does tokio's
    /// cooperative budget. A wake, from any thread, puts the next poll into the queue. Tracked, as
    /// [`spawn_compute`](Self::spawn_compute); what drops and costs mean is said at [`SpawnedFuture`].
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().build()?;
    /// let (sender, mut batches) = tokio::sync::mpsc::channel::<Vec<u64>>(4);
    /// let sum = runtime.spawn_compute_future(async move {
    ///     let mut sum = 0;
    ///     while let Some(batch) = batches.recv().await {
    ///         sum += batch.iter().sum::<u64>();
    ///     }
    ///     sum
    /// });
    /// let sum = runtime.block_on(async move {
    ///     sender.send(vec![1, 2]).await.expect("it is received");
    ///     sender.send(vec![3]).await.expect("it is received");
    ///     drop(sender);
    ///     sum.await
    /// });
    /// assert_eq!(sum, 6);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`spawn_compute`](Self::spawn_compute): on a runtime that has been shut down, or without
    /// compute threads.
    #[track_caller]
    pub fn spawn_compute_future<F>(&self, future: F) -> SpawnedFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawned_future(self.core(), true, future)
    }

    /// Starts a future each of whose polls runs where it costs less: on the task that awaits it, or on the
    /// compute pool. Polls are learned for each type of future and place of the spawn, and apart by the
    /// kind of wake that they follow ([`Wake`](crate::Wake)). Until it is awaited, its first poll is placed, and the others run on
    /// the pool.
    ///
    /// # Panics
    ///
    /// As [`spawn_compute_future`](Self::spawn_compute_future).
    #[track_caller]
    pub fn spawn_adaptive_future<F>(&self, future: F) -> SpawnedFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawned_future(self.core(), false, future)
    }

    /// [`spawn_compute_future`](Self::spawn_compute_future) that returns failures as errors: a panic of
    /// the future, a runtime that has been shut down, or a full queue (`compute_queue` calls wait already).
    #[track_caller]
    pub fn try_spawn_compute_future<F>(&self, future: F) -> TrySpawnedFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        try_future(self.core(), true, future)
    }

    /// [`spawn_adaptive_future`](Self::spawn_adaptive_future) that returns failures as errors, as
    /// [`try_spawn_compute_future`](Self::try_spawn_compute_future) does.
    #[track_caller]
    pub fn try_spawn_adaptive_future<F>(&self, future: F) -> TrySpawnedFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        try_future(self.core(), false, future)
    }
}

/// [`LoomRuntime::spawn_compute_future`] on the current runtime; outside of any runtime, on the
/// process-wide compute pool.
///
/// ```
/// #[tokio::main]
/// async fn main() {
///     let seen = loom::spawn_compute_future(async {
///         tokio::task::yield_now().await;
///         (0..1_000_u64).sum::<u64>()
///     });
///     assert_eq!(seen.await, 499_500);
/// }
/// ```
///
/// # Panics
///
/// As [`LoomRuntime::spawn_compute_future`].
#[track_caller]
pub fn spawn_compute_future<F>(future: F) -> SpawnedFuture<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawned_future(&current_core(), true, future)
}

/// [`LoomRuntime::spawn_adaptive_future`] on the current runtime; outside of any runtime, with the
/// process-wide compute pool.
///
/// # Panics
///
/// As [`LoomRuntime::spawn_compute_future`].
#[track_caller]
pub fn spawn_adaptive_future<F>(future: F) -> SpawnedFuture<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawned_future(&current_core(), false, future)
}

/// [`LoomRuntime::try_spawn_compute_future`] on the current runtime; outside of any runtime, on the
/// process-wide compute pool.
#[track_caller]
pub fn try_spawn_compute_future<F>(future: F) -> TrySpawnedFuture<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    try_future(&current_core(), true, future)
}

/// [`LoomRuntime::try_spawn_adaptive_future`] on the current runtime; outside of any runtime, with the
/// process-wide compute pool.
#[track_caller]
pub fn try_spawn_adaptive_future<F>(future: F) -> TrySpawnedFuture<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    try_future(&current_core(), false, future)
}
