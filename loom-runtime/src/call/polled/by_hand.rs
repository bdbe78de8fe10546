//! Compute futures that are spawned by hand.

use std::fmt;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::core::{Admitted, Core, Refusal};
use crate::scheduler::{ComputeHint, Site, Wake};
use crate::sync::{Arc, thread};

use super::super::decide::CallInfo;
use super::super::fallible::ComputeError;
use super::future::{Polled, resolve};

/// A future whose polls run on the compute pool, or where they cost less, as a future of its result.
///
/// It was started when this was made. Until a task polls it, wakes send its polls to the compute pool. From
/// then on polls may be the task's: a task that polls it once and then waits for something else holds it up,
/// as it would any future.
///
/// - Dropped before its first poll, or given to [`detach`](Self::detach): the future runs to its end, and its
///   result is dropped. A future that nobody can wake any more is dropped.
/// - Dropped after a poll (a timeout, a `select!`): the future is dropped, at once where it waits, and after
///   its poll where one is under way. [`is_cancelled`](crate::is_cancelled) tells that poll that it may stop.
///
/// Cost: one block for the future and what Loom keeps of it; a block of up to 1024 bytes is recycled, and a
/// larger one is an allocation. A poll allocates nothing. `loom-bench futures` prints what polls cost.
///
/// # Panics
///
/// The poll that would have returned the result raises a panic of the future again. It panics with the reason
/// where the runtime has ended before the future.
#[must_use = "the future runs, but its result is lost; await it, or say `.detach()`"]
pub struct SpawnedFuture<R>(Polled<R>);

/// Starts a future whose polls run on the pool if that is forced, and are placed otherwise.
#[track_caller]
pub(crate) fn spawned_future<F>(
    core: &Arc<Core>,
    is_forced: bool,
    future: F,
) -> SpawnedFuture<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let site = Site::of_future::<F>(Location::caller());
    match started(core, usize::MAX, site, is_forced, future) {
        Ok(started) => started,
        Err(refusal) => panic!("{refusal}"),
    }
}

/// [`spawned_future`], with an error in place of its panic.
#[track_caller]
pub(crate) fn try_future<F>(
    core: &Arc<Core>,
    is_forced: bool,
    future: F,
) -> TrySpawnedFuture<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let site = Site::of_future::<F>(Location::caller());
    TrySpawnedFuture(match started(core, core.compute_queue, site, is_forced, future) {
        Ok(started) => Started::Future(started.0),
        Err(refusal) => Started::Refused(Some(refusal)),
    })
}

/// [`spawned_future`] of a given site, whose drop gives it up from the start.
#[track_caller]
pub(crate) fn driven_future<F>(
    core: &Arc<Core>,
    site: &'static Site,
    future: F,
) -> SpawnedFuture<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match started(core, usize::MAX, site, true, future) {
        Ok(mut started) => {
            started.0.mark_awaited();
            started
        }
        Err(refusal) => panic!("{refusal}"),
    }
}

fn started<F>(
    core: &Arc<Core>,
    limit: usize,
    site: &'static Site,
    is_forced: bool,
    future: F,
) -> Result<SpawnedFuture<F::Output>, Refusal>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if core.compute_threads == 0 {
        return Err(Refusal::NoPool);
    }
    let admitted = Admitted::to(core)?;
    if core.queue.waiting() >= limit {
        core.counters.refused.add_one();
        return Err(Refusal::QueueFull(limit));
    }
    let info = CallInfo::of(site, 0, ComputeHint::Unknown);
    let mut polled = Polled::new(info, future);
    polled.share(admitted, Wake::Begin, is_forced, None);
    polled.start();
    Ok(SpawnedFuture(polled))
}

impl<R> SpawnedFuture<R> {
    /// Lets the future run to its end, and drops its result.
    ///
    /// The future stays tracked: a graceful shutdown waits for it.
    pub fn detach(self) {
        self.0.detach();
    }

    /// The value or the panic payload.
    pub(crate) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<thread::Result<R>> {
        self.0.poll_started(cx).map(resolve)
    }
}

impl<R> Future for SpawnedFuture<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        match ready!(self.poll_outcome(cx)) {
            Ok(value) => Poll::Ready(value),
            Err(payload) => resume_unwind(payload),
        }
    }
}

impl<R> fmt::Debug for SpawnedFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnedFuture").finish_non_exhaustive()
    }
}

/// [`SpawnedFuture`] whose failure is an error value. A future that was refused is dropped before this
/// exists, and the first poll returns the refusal.
#[must_use = "the future runs, but its result is lost; await it, or say `.detach()`"]
pub struct TrySpawnedFuture<R>(Started<R>);

enum Started<R> {
    Future(Polled<R>),
    /// `None` once it was taken.
    Refused(Option<Refusal>),
}

impl<R> TrySpawnedFuture<R> {
    /// Lets the future run to its end, and drops its result.
    ///
    /// # Errors
    ///
    /// The refusal, if the future was refused.
    pub fn detach(self) -> Result<(), ComputeError> {
        match self.0 {
            Started::Future(polled) => {
                polled.detach();
                Ok(())
            }
            Started::Refused(refusal) => refusal.map_or(Ok(()), |refusal| Err(refusal.into())),
        }
    }
}

impl<R> Future for TrySpawnedFuture<R> {
    type Output = Result<R, ComputeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Started::Future(polled) => polled.poll_started(cx).map_err(ComputeError::from),
            Started::Refused(refusal) => match refusal.take() {
                Some(refusal) => Poll::Ready(Err(refusal.into())),
                None => panic!("a compute future was polled after its end"),
            },
        }
    }
}

impl<R> fmt::Debug for TrySpawnedFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySpawnedFuture").finish_non_exhaustive()
    }
}
