//! The methods that end a runtime.

use std::fmt;
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use crate::core::{Drained, beside};
use crate::sync::Arc;
use crate::threads::{Alarm, ShutdownWait};
use crate::topology::os;

use super::handle::LoomRuntime;
use super::inner::Inner;

/// What was still running when a runtime was ended without waiting for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StillRunning {
    /// Tracked async tasks and blocking functions, those of
    /// [`task_tracker`](LoomRuntime::task_tracker) among them. The tasks are dropped at their
    /// next await.
    pub tasks: usize,
    /// Compute calls. Those still queued never run; those that run end on their own.
    pub compute_calls: usize,
}

impl StillRunning {
    /// Whether there was nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, compute_calls } = self;
        let plural = |n: &usize| if *n == 1 { "" } else { "s" };
        write!(
            f,
            "{tasks} task{} and {compute_calls} compute call{}",
            plural(tasks),
            plural(compute_calls)
        )
    }
}

impl LoomRuntime {
    /// Begins the end: from now on [`is_idle`](Self::is_idle) can become true. Work is
    /// still accepted, since what is being finished may need it.
    pub fn shutdown(&self) {
        self.core().lifecycle.drain();
        if let Some(tracker) = self.inner.task_tracker.get() {
            tracker.close();
        }
    }

    /// Whether the end has begun, by [`shutdown`](Self::shutdown) or another way.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.core().lifecycle.is_draining()
    }

    /// Whether [`shutdown`](Self::shutdown) was called and all tracked work has ended:
    /// async tasks, blocking functions and compute calls. One atomic load, and a second one
    /// where [`task_tracker`](Self::task_tracker) was asked for.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.core().lifecycle.is_idle()
            && self.inner.task_tracker.get().is_none_or(TaskTracker::is_empty)
    }

    /// Waits until [`shutdown`](Self::shutdown) was called and all tracked work has ended.
    /// New work is refused from then on. May be cancelled and awaited again.
    pub async fn wait_for_shutdown(&self) {
        self.tracker_is_empty().await;
        Drained::of(self.core()).await;
        // What has just ended may have spawned on it.
        self.tracker_is_empty().await;
    }

    async fn tracker_is_empty(&self) {
        if let Some(tracker) = self.inner.task_tracker.get() {
            tracker.wait().await;
        }
    }

    /// [`shutdown`](Self::shutdown), and blocks until all tracked work has ended. New work
    /// is refused from then on. Called from tracked work it would wait for itself, without end.
    ///
    /// # Panics
    ///
    /// Where [`block_on`](Self::block_on) does.
    #[track_caller]
    pub fn block_until_idle(&self) {
        self.shutdown();
        self.block_on(self.wait_for_shutdown());
    }

    /// [`shutdown`](Self::shutdown), waits for tracked work, but no longer than `limit`, and
    /// then ends the runtime, even if work is still running and handles still exist.
    ///
    /// As with tokio's, async tasks are dropped at their next await and blocking functions
    /// that run are waited for until `limit` is over. Compute calls that are queued never
    /// run, those that run end on their own. Other handles stay valid and have their work
    /// refused. Where [`tokio_runtime`](Self::tokio_runtime) was called, tokio's part
    /// ends with the last handle instead.
    ///
    /// Called from tracked work it waits for itself until `limit` is over. On the threads of
    /// a runtime tokio's threads are not waited for. While another thread is inside
    /// [`block_on`](Self::block_on) on a current-thread runtime, that one goes on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().build()?;
    /// runtime.spawn_async(std::future::pending::<()>());
    /// let left = runtime.shutdown_timeout(Duration::from_millis(10));
    /// assert_eq!(left.to_string(), "1 task and 0 compute calls");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Within async code, which must not be blocked.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "as below")]
    pub fn shutdown_timeout(self, limit: Duration) -> StillRunning {
        let deadline = Instant::now().checked_add(limit);
        self.wait_at_most(limit);
        let left = self.terminate();
        let rest = || {
            let rest = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            rest.map_or(ShutdownWait::Forever, ShutdownWait::AtMost)
        };
        self.inner.local.end(rest());
        self.inner.tokio.end(rest());
        self.tell_plugins();
        left
    }

    /// Ends the runtime at once and waits for nothing. May be called anywhere, also on the
    /// runtime's own threads. What it does is otherwise that of
    /// [`shutdown_timeout`](Self::shutdown_timeout) with no time.
    #[expect(clippy::must_use_candidate, reason = "who waits for nothing may not care")]
    pub fn shutdown_background(self) -> StillRunning {
        let left = self.terminate();
        self.inner.local.end(ShutdownWait::None);
        self.inner.tokio.end(ShutdownWait::None);
        self.tell_plugins();
        left
    }

    /// After tokio has ended, so that their tasks have, too, before what those use does.
    #[cfg_attr(not(feature = "plugin-host"), expect(clippy::unused_self, reason = "as below"))]
    fn tell_plugins(&self) {
        #[cfg(feature = "plugin-host")]
        self.core().end_extension();
    }

    fn terminate(&self) -> StillRunning {
        let core = self.core();
        if os::is_forked() {
            self.inner.tokio.forget();
            return StillRunning::default();
        }
        core.lifecycle.leave();
        core.resume_time();
        self.inner.keep_profile();
        let compute_calls = core.in_flight();
        // Two counts, read one after the other while work ends.
        let of_user = self.inner.task_tracker.get().map_or(0, TaskTracker::len);
        let tasks = core.tasks() + of_user;
        StillRunning { tasks, compute_calls }
    }

    /// Waits for all tracked work; false if it took longer than `limit`.
    #[track_caller]
    pub(crate) fn wait_at_most(&self, limit: Duration) -> bool {
        if os::is_forked() {
            return true;
        }
        // Tokio itself checks this on the threads that it drives.
        assert!(
            !self.core().owner.must_not_wait(),
            "this thread drives async tasks of the host or runs compute work for it, and must not \
             wait: call this from `spawn_blocking`"
        );
        self.shutdown();
        let deadline = Instant::now().checked_add(limit);
        let over = pin!(self.wait_for_shutdown());
        // Panics where blocking is wrong, and drives a current-thread runtime. Tokio's timer
        // would not do: it is late when the workers are stuck, and ends with tokio.
        let alarm = deadline.map(Alarm::at);
        self.inner.tokio.block_on(UntilAlarm { future: over, alarm })
    }

    /// Ends the runtime within its `shutdown_timeout`, for `#[loom::main]`.
    pub(crate) fn drain(self) {
        let limit = self.inner.config.shutdown_timeout;
        let started = Instant::now();
        if !self.wait_at_most(limit) {
            let left = self.terminate();
            // A closed standard error is no reason to panic at the end.
            let _ = writeln!(
                io::stderr(),
                "loom: {left} still running {limit:?} after the body of `main` returned; ending \
                 without them (see `shutdown_timeout`)",
            );
            // A handle that still exists keeps no local core running.
            self.inner.local.end(ShutdownWait::None);
        }
        // As far as the clock goes: 24 h at most.
        let deadline = started.checked_add(limit).unwrap_or(started);
        self.inner.local.wait_until(deadline);
        self.inner.tokio.wait_until(deadline);
        self.inner.keep_profile();
    }
}

/// Waits for a future until an alarm; whether it was ready by then.
struct UntilAlarm<F> {
    future: F,
    alarm: Option<Alarm>,
}

impl<F: Future + Unpin> Future for UntilAlarm<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        if Pin::new(&mut self.future).poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        let Some(alarm) = &mut self.alarm else { return Poll::Pending };
        Pin::new(alarm).poll(cx).map(|()| false)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if os::is_forked() {
            // It has no threads here, and may hold locks that one of them held.
            std::mem::forget(Arc::clone(&self.pool));
            return;
        }
        beside::unregister(&self.core);
        // Before the threads go, so that what is still queued is refused, not run.
        self.core.lifecycle.leave();
        self.core.resume_time();
        self.keep_profile();
        if self.core.owner.must_not_wait() {
            self.tokio.wait_until(Instant::now());
            self.tokio.end(ShutdownWait::None);
        }
    }
}
