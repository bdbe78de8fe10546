//! The host's runtime as this library uses it: spawning, waiting, and the free functions for it.

use crate::sync::Arc;
use std::fmt;

use crate::core::{Admitted, Refusal};
use crate::runtime::LoomRuntime;

use super::own::Host;
use crate::core::TokioContext;
use crate::core::attached as here;
use crate::guest::{self, BlockOnError, JoinHandle, Within, block_on};

/// The host's runtime, as this library uses it. Cheap to clone; dropping it does not detach.
///
/// [`runtime`](Self::runtime) has all methods of a [`LoomRuntime`]. They differ where a thread
/// waits: on compute threads, where in a program a spare would take the thread's place, `block_on`
/// panics; it also panics once the host has ended. The methods here are for plug-ins only.
#[derive(Clone, Debug)]
pub struct Attached {
    pub(super) runtime: LoomRuntime,
    pub(super) host: Host,
}

/// Why a task was not spawned: the host has shut down, or this process was forked from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpawnError(Refusal);

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SpawnError {}

impl Attached {
    /// The runtime, used as any other. Its tasks run on the host's I/O workers, its compute calls
    /// run on threads that the host has started for this plug-in, and its tokio
    /// ([`tokio_handle`](LoomRuntime::tokio_handle)) is this library's own.
    #[must_use]
    pub fn runtime(&self) -> &LoomRuntime {
        &self.runtime
    }

    /// The host's runtime, without this library's tokio and rayon.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Spawns a task on the host's I/O workers; this library's tokio works in it.
    ///
    /// It is [`loom::spawn_async`](crate::spawn_async) with Loom's own handle. Tokio's handle needs
    /// a second task on the plug-in's driver for each task; this one does not.
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

    /// [`spawn`](Self::spawn) with a chosen part of this library's tokio.
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

    /// [`spawn`](Self::spawn) that returns an error instead of panicking, for functions that the
    /// library exports: these must not panic.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]; the future is dropped.
    pub fn try_spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.try_spawn_within(self.context(), future)
    }

    /// [`spawn_within`](Self::spawn_within) that returns an error instead of panicking.
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

    /// A future that finds this library's tokio on every thread that polls it.
    pub fn within<F>(&self, context: TokioContext, future: F) -> Within<F> {
        Within::new(future, self.runtime.tokio_handle().clone(), context)
    }

    /// Drives a future to its end on the calling thread, unless that thread must not wait.
    ///
    /// # Errors
    ///
    /// [`BlockOnError`], at once, on threads of the host and of this plug-in that drive tasks or
    /// run compute work. [`LoomRuntime::block_on`] panics there with the same text.
    ///
    /// # Panics
    ///
    /// When `future` does.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, BlockOnError> {
        block_on(self.runtime.core(), &self.host.raw, self.within(self.context(), future))
    }

    /// The context that [`Attach::context`](super::Attach::context) has set.
    fn context(&self) -> TokioContext {
        self.runtime.core().owner.context()
    }
}

/// The runtime that this library is attached to, if there is one.
#[must_use]
pub fn current() -> Option<Attached> {
    let runtime = LoomRuntime::from_inner(here::handle()?.downcast().ok()?);
    let host = Host { raw: Arc::clone(runtime.core().owner.host()?) };
    Some(Attached { runtime, host })
}

/// [`Attached::spawn`] on the runtime that this library is attached to.
///
/// # Panics
///
/// Where the library is not attached, and where [`Attached::spawn`] does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let Some(attached) = current() else {
        panic!(
            "`loom::plugin::spawn` needs a host: call `loom::plugin::attach` first, with the \
             handle that the host passes"
        );
    };
    attached.spawn(future)
}

/// [`Host::block_in_place`] of the host that this library is attached to; without a host it only
/// calls `f`.
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    match here::host() {
        Some(raw) => Host { raw }.block_in_place(f),
        None => f(),
    }
}
