//! Async tasks that count as work of a runtime until they have ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::core::{Admitted, Core};
use crate::sync::Arc;

pin_project! {
    /// A task that counts until it has been dropped, result and all.
    pub(crate) struct Tracked<F, A = Admitted> {
        #[pin]
        future: F,
        // After the future, whose drop is still part of the work.
        admitted: A,
    }
}

impl<F, A> Tracked<F, A> {
    pub(crate) fn new(future: F, admitted: A) -> Self {
        Self { future, admitted }
    }
}

impl<F: Future, A> Future for Tracked<F, A> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

/// Spawns a task that is admitted, and counts until it has ended.
#[track_caller]
pub(crate) fn tracked<F>(core: &Arc<Core>, tokio: &Handle, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // Where there is an owner, it admits the task itself.
    let admitted = match Admitted::here(core) {
        Ok(admitted) => admitted,
        Err(refusal) => panic!("{refusal}"),
    };
    #[cfg(feature = "plugin")]
    if let Some(host) = core.owner.host() {
        core.counters.spawned.add_one();
        return crate::guest::proxied(host, admitted, tokio, future);
    }
    spawn(admitted, tokio, future)
}

/// Spawns a task that counts as admitted until it has ended.
#[track_caller]
pub(crate) fn spawn<F>(admitted: Admitted, tokio: &Handle, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    admitted.core().counters.spawned.add_one();
    tokio.spawn(Tracked { future, admitted })
}
