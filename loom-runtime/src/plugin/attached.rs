//! A runtime of the host's, as this library uses it.

use crate::sync::Arc;
use std::fmt;

use crate::core::{Admitted, Refusal};
use crate::runtime::LoomRuntime;

use super::own::Host;
use crate::core::TokioContext;
use crate::core::attached as here;
use crate::guest::{self, BlockOnError, JoinHandle, Within, block_on};

/// The host's runtime, as this library uses it. Cheap to clone; dropping it detaches nothing.
///
/// [`runtime`](Self::runtime) has all that a [`LoomRuntime`] has. It differs where a thread waits:
/// `block_on` panics on compute threads, where it runs other work in a program, and once the host
/// has ended. What a plug-in alone needs is here.
#[derive(Clone, Debug)]
pub struct Attached {
    pub(super) runtime: LoomRuntime,
    pub(super) host: Host,
}

/// Why a task is not spawned: the host has shut down, or this process was forked from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpawnError(Refusal);

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SpawnError {}

impl Attached {
    /// The runtime, as any other: its tasks run on the host's I/O workers, its compute calls on
    /// threads that the host has started for this plug-in, and its tokio
    /// ([`tokio_handle`](LoomRuntime::tokio_handle)) is this library's own.
    #[must_use]
    pub fn runtime(&self) -> &LoomRuntime {
        &self.runtime
    }

    /// The host by itself.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Spawns a task on the host's I/O workers, in which this library's tokio works.
    ///
    /// It is [`loom::spawn_async`](crate::spawn_async) with a handle of our own: tokio's needs a
    /// task of the plug-in's driver beside each, this does not.
    ///
    /// # Panics
    ///
    /// Where the host has shut down.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_within(self.context(), future)
    }

    /// [`spawn`](Self::spawn) with more or less of this library's tokio.
    ///
    /// # Panics
    ///
    /// Where the host has shut down.
    #[track_caller]
    pub fn spawn_within<F>(&self, context: TokioContext, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.try_spawn_within(context, future) {
            Ok(handle) => handle,
            Err(refused) => panic!("{refused}"),
        }
    }

    /// [`spawn`](Self::spawn) that gives as an error what that panics with, which a function that
    /// a library exports must not.
    ///
    /// # Errors
    ///
    /// [`SpawnError`], and the future is dropped.
    pub fn try_spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.try_spawn_within(self.context(), future)
    }

    /// [`spawn_within`](Self::spawn_within), likewise.
    ///
    /// # Errors
    ///
    /// As [`try_spawn`](Self::try_spawn).
    pub fn try_spawn_within<F>(
        &self,
        context: TokioContext,
        future: F,
    ) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let core = self.runtime.core();
        let spawned = Admitted::here(core).and_then(|admitted| {
            core.counters.spawned.add_one();
            guest::spawn(&self.host.raw, admitted, self.within(context, future))
        });
        spawned.map_err(SpawnError)
    }

    /// A future that finds this library's tokio wherever it is polled.
    pub fn within<F>(&self, context: TokioContext, future: F) -> Within<F> {
        Within::new(future, self.runtime.tokio_handle().clone(), context)
    }

    /// Drives a future to its end on the calling thread, unless that must not wait.
    ///
    /// # Errors
    ///
    /// [`BlockOnError`], at once, on the threads of the host and of this plug-in that drive
    /// tasks or compute. [`LoomRuntime::block_on`] panics there with the same words.
    ///
    /// # Panics
    ///
    /// When `future` does.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, BlockOnError> {
        block_on(self.runtime.core(), &self.host.raw, self.within(self.context(), future))
    }

    /// What [`Attach::context`](super::Attach::context) has said.
    fn context(&self) -> TokioContext {
        self.runtime.core().owner.context()
    }
}

/// What this library is attached to.
#[must_use]
pub fn current() -> Option<Attached> {
    let runtime = LoomRuntime::from_inner(here::handle()?.downcast().ok()?);
    let host = Host { raw: Arc::clone(runtime.core().owner.host()?) };
    Some(Attached { runtime, host })
}

/// [`Attached::spawn`] on what this library is attached to.
///
/// # Panics
///
/// Where it is attached to nothing, and as that does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let Some(attached) = current() else {
        panic!(
            "`loom::plugin::spawn` needs a host: call `loom::plugin::attach` first, with the \
             handle that the host gives"
        );
    };
    attached.spawn(future)
}

/// [`Host::block_in_place`] of what this library is attached to; a call where that is nothing.
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    match here::host() {
        Some(raw) => Host { raw }.block_in_place(f),
        None => f(),
    }
}
