//! The host's runtime alone: everything that needs only its handle.

use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use loom_abi::{Lack, RuntimeHandle, Status};

use crate::boundary::{ForeignFuture, HostRef};
use crate::bridge::{self, Priority};
use crate::sync::{Arc, thread};

use crate::call::ComputeError;

/// The host's runtime, without this library's tokio, rayon and thread-locals. Cheap to clone.
///
/// All calls go straight to the host: tasks to its I/O workers, closures to its own compute pool.
/// [`attach`](super::attach) provides more, and includes a `Host`
/// ([`Attached::host`](super::Attached::host)).
#[derive(Clone, Debug)]
pub struct Host {
    pub(super) raw: Arc<HostRef>,
}

impl Host {
    /// Takes a reference count on the host's runtime, if its version fits; nothing is started.
    ///
    /// # Errors
    ///
    /// What does not fit. In that case no function of the host was called.
    pub fn of(handle: RuntimeHandle<'_>) -> Result<Self, Lack> {
        HostRef::of(handle).map(|raw| Self { raw: Arc::new(raw) })
    }

    /// How many compute threads the host has.
    #[must_use]
    pub fn compute_threads(&self) -> usize {
        self.raw.compute_threads()
    }

    /// A future that is ready after `time`, by the host's clock. Its precision is a millisecond,
    /// not a nanosecond.
    pub fn sleep(&self, time: Duration) -> Sleep {
        Sleep(self.raw.sleep(time))
    }

    /// A future that yields once to the host's other tasks.
    pub fn yield_now(&self) -> Sleep {
        Sleep(self.raw.yield_now())
    }

    /// Runs `f`, which may block, on the calling thread, after moving the other tasks of the
    /// host's worker to another thread. On other threads it only calls `f`.
    /// (`tokio::task::block_in_place` of this library does not know the host's workers, and blocks
    /// them.)
    ///
    /// # Panics
    ///
    /// When `f` does, with its payload.
    pub fn block_in_place<R>(&self, f: impl FnOnce() -> R) -> R {
        let (_status, result) = self.raw.block_in_place(f);
        match result {
            Some(Ok(value)) => value,
            Some(Err(payload)) => resume_unwind(payload),
            None => unreachable!("a host runs the call, on every thread"),
        }
    }

    /// Queues `f` on the host's own compute pool at once, together with the host's calls; the
    /// future waits for its result.
    ///
    /// Parallel iterators in `f` would use this library's rayon, which does not know the host's
    /// pool: use [`spawn_compute`](crate::spawn_compute) for those. For what dropping the future
    /// does, see [`ComputeFuture`](crate::ComputeFuture).
    ///
    /// # Errors
    ///
    /// The future returns [`ComputeError`] for a panic of `f`, a full queue, and a host that has
    /// shut down.
    pub fn compute<F, R>(
        &self,
        priority: Priority,
        f: F,
    ) -> impl Future<Output = Result<R, ComputeError>> + Send + 'static
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (job, call) = bridge::call(f, Counted, priority);
        let level = match priority {
            Priority::Low => 0,
            Priority::Normal => 1,
            Priority::High => 2,
        };
        let work = move || {
            if let Some(job) = job.start() {
                job.run();
            }
        };
        let status = self.raw.compute(work, level);
        let limit = if status == Status::QUEUE_FULL { self.raw.facts().compute_queue } else { 0 };
        async move {
            match status {
                Status::DONE => call.await.map_err(ComputeError::from),
                Status::QUEUE_FULL => Err(ComputeError::QueueFull { limit }),
                Status::NO_THREAD | Status::FORKED => Err(ComputeError::NoThreads),
                _ => Err(ComputeError::ShutDown),
            }
        }
    }

    /// Calls `a` and `b`, possibly in parallel, on the host's compute pool, and waits for both.
    /// Nested calls need no further thread.
    ///
    /// On a compute thread the call starts on that thread; on one of a plug-in's, `a` and `b` run
    /// one after the other. On an I/O worker it blocks the worker, as
    /// [`install`](crate::LoomRuntime::install) does.
    ///
    /// # Errors
    ///
    /// [`ComputeError::ShutDown`] where the host has ended, and [`ComputeError::Panicked`] once
    /// both have ended, with the payload of `a`, or of `b` where `a` did not panic.
    pub fn join<A, B>(
        &self,
        a: impl FnOnce() -> A + Send,
        b: impl FnOnce() -> B + Send,
    ) -> Result<(A, B), ComputeError>
    where
        A: Send,
        B: Send,
    {
        let (_status, a, b) = self.raw.join(a, b);
        let (Some(a), Some(b)) = (a, b) else { return Err(ComputeError::ShutDown) };
        let ended = |result: thread::Result<_>| result.map_err(ComputeError::of_panic);
        let b = b.map_err(ComputeError::of_panic);
        Ok((ended(a)?, b?))
    }
}

/// The observer of a call that the host counts: it has nothing to do.
struct Counted;

impl bridge::Observer for Counted {
    type After = ();

    fn may_start(&self) -> bool {
        true
    }

    fn withdraw(&self) {}

    fn end(self, _end: bridge::End, _unwanted: bool) {}
}

/// A wait on the host's runtime; made by [`Host::sleep`] and [`Host::yield_now`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep(ForeignFuture);

impl Future for Sleep {
    type Output = ();

    /// # Panics
    ///
    /// Where the host cannot wait: its runtime has ended.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|ended| {
            assert!(ended.is_ok(), "the host has shut down, so its timers have ended");
        })
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}
