//! Async tasks that count as work of a runtime until they have ended, and whose polls are watched.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::core::{Admitted, Core, OfPlace, Spot};
use crate::sync::Arc;

use super::observed::Watch;

pin_project! {
    /// A task that holds its admission until it has been dropped, its result included.
    pub(crate) struct Tracked<F, A = Admitted> {
        #[pin]
        future: F,
        // Dropped after the future, whose drop is still part of the work.
        admitted: A,
    }
}

impl<F, A> Tracked<F, A> {
    pub(crate) fn new(future: F, admitted: A) -> Self {
        Self { future, admitted }
    }
}

impl<F: Future, A: OfPlace> Future for Tracked<F, A> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let (polls, place) = (this.admitted.slow_polls(), this.admitted.place());
        let watch = Watch::begin(place, || polls.limit());
        let polled = this.future.poll(cx);
        if watch.may_have_been_slow() {
            watch.end().judge(polls, place, None);
        }
        polled
    }
}

/// Admits and spawns a task, which counts as work until it has ended.
///
/// # Panics
///
/// Where the work is refused.
#[track_caller]
pub(crate) fn tracked<F>(core: &Arc<Core>, tokio: &Handle, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let place = Spot::of_task(Location::caller());
    // If there is an owner, the owner admits the task itself.
    let admitted = match Admitted::here(core) {
        Ok(admitted) => admitted,
        Err(refusal) => panic!("{refusal}"),
    };
    #[cfg(feature = "plugin")]
    if let Some(host) = core.owner.host() {
        core.counters.spawned.add_one();
        let future = super::Observed::new(place, future);
        return crate::guest::proxied(host, admitted, tokio, future);
    }
    spawn(admitted, place, tokio, future)
}

/// Spawns a task, which holds `admitted` until it has ended. `place` is the number of its place.
#[track_caller]
pub(crate) fn spawn<F>(
    admitted: Admitted,
    place: u32,
    tokio: &Handle,
    future: F,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    admitted.core().counters.spawned.add_one();
    tokio.spawn(Tracked::new(future, admitted.at(place)))
}
