//! The methods that end a runtime.

use std::fmt;
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use crate::core::{Core, Drained, beside};
use crate::panics::ignore_panic;
use crate::sync::{Arc, OnceLock};
use crate::threads::{Alarm, ShutdownWait};
use crate::topology::os;

use super::handle::LoomRuntime;
use super::inner::Inner;
use super::shielded::shielded;

/// The work that was still running when a runtime ended without waiting for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StillRunning {
    /// Tracked async tasks and blocking functions, including the tasks of
    /// [`task_tracker`](LoomRuntime::task_tracker). The tasks are dropped at their next await.
    pub tasks: usize,
    /// Compute calls. Queued calls never run; running calls finish on their own.
    pub compute_calls: usize,
}

impl StillRunning {
    /// Whether no work was still running.
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
    /// Begins to shut down: from now on [`is_idle`](Self::is_idle) can become true. The runtime
    /// still accepts work, since the work that is being finished may need it.
    pub fn shutdown(&self) {
        begin_shutdown(self.core(), &self.inner.task_tracker);
        self.inner.stop_loops();
    }

    /// Whether the runtime is shutting down, by [`shutdown`](Self::shutdown) or another way.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.core().lifecycle.is_draining()
    }

    /// Whether [`shutdown`](Self::shutdown) was called and all tracked work has ended:
    /// async tasks, blocking functions and compute calls. Cost: one atomic load, and a second one
    /// if [`task_tracker`](Self::task_tracker) was called.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.core().lifecycle.is_idle()
            && self.inner.task_tracker.get().is_none_or(TaskTracker::is_empty)
    }

    /// Waits until [`shutdown`](Self::shutdown) was called and all tracked work has ended.
    /// From then on the runtime refuses new work. The wait may be cancelled and started again.
    pub async fn wait_for_shutdown(&self) {
        self.tracker_is_empty().await;
        Drained::of(self.core()).await;
        // Work that has just ended may have spawned tasks on the tracker.
        self.tracker_is_empty().await;
    }

    async fn tracker_is_empty(&self) {
        if let Some(tracker) = self.inner.task_tracker.get() {
            shielded(tracker.wait()).await;
        }
    }

    /// Calls [`shutdown`](Self::shutdown) and blocks until all tracked work has ended. From then
    /// on the runtime refuses new work. Do not call it from tracked work: that would wait for
    /// itself without end.
    ///
    /// # Panics
    ///
    /// As [`block_on`](Self::block_on).
    #[track_caller]
    pub fn block_until_idle(&self) {
        self.shutdown();
        self.block_on(self.wait_for_shutdown());
    }

    /// Calls [`shutdown`](Self::shutdown), waits at most `limit` for tracked work, and then ends
    /// the runtime, even if work is still running and handles still exist.
    ///
    /// As when tokio's runtime is shut down, async tasks are dropped at their next await, and
    /// running blocking functions are waited for until `limit` is over. Queued compute calls never
    /// run; running calls finish on their own. Other handles stay valid, and the runtime refuses
    /// their work. If [`tokio_runtime`](Self::tokio_runtime) was called, the tokio runtime ends
    /// with the last handle instead.
    ///
    /// Called from tracked work, it waits for itself until `limit` is over. Called on a thread of a
    /// runtime, it does not wait for tokio's threads. If another thread is inside
    /// [`block_on`](Self::block_on) on a current-thread runtime, that call continues.
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
    /// If called from async code, which must not block.
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
        self.notify_plugins();
        left
    }

    /// Ends the runtime at once, without waiting. May be called anywhere, even on the runtime's own
    /// threads. Otherwise the same as [`shutdown_timeout`](Self::shutdown_timeout) with a limit of
    /// zero.
    #[expect(clippy::must_use_candidate, reason = "a caller that does not wait may ignore it")]
    pub fn shutdown_background(self) -> StillRunning {
        let left = self.terminate();
        self.inner.local.end(ShutdownWait::None);
        self.inner.tokio.end(ShutdownWait::None);
        self.notify_plugins();
        left
    }

    /// Ends what the tasks of plug-ins use. Called after tokio's end, so that it outlives tasks whose
    /// end the caller waits for.
    #[cfg_attr(not(feature = "plugin-host"), expect(clippy::unused_self, reason = "as below"))]
    fn notify_plugins(&self) {
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
        self.inner.stop_loops();
        core.resume_time();
        self.inner.leave_registries();
        self.inner.keep_profile();
        let compute_calls = core.in_flight();
        // The counts are read one after the other, so work may end in between.
        let in_tracker = self.inner.task_tracker.get().map_or(0, TaskTracker::len);
        let tasks = core.tasks() + in_tracker;
        StillRunning { tasks, compute_calls }
    }

    /// Waits for all tracked work; returns false if that took longer than `limit`.
    #[track_caller]
    pub(crate) fn wait_at_most(&self, limit: Duration) -> bool {
        if os::is_forked() {
            return true;
        }
        // On its own threads, tokio checks this.
        assert!(
            !self.core().owner.must_not_wait(),
            "this thread drives async tasks of the host or runs compute work for it, and must not \
             wait: call this from `spawn_blocking`"
        );
        self.shutdown();
        let deadline = Instant::now().checked_add(limit);
        let ended = pin!(self.wait_for_shutdown());
        // Tokio's `block_on` panics where blocking is wrong, and drives a current-thread runtime.
        // Tokio's timer does not suffice: it is late when the workers are stuck, and ends with
        // tokio.
        let alarm = deadline.map(Alarm::at);
        self.inner.tokio.block_on(UntilAlarm { future: ended, alarm })
    }

    /// Ends the runtime within its `shutdown_timeout`, for `#[loom::main]`.
    pub(crate) fn drain(self) {
        let limit = self.inner.config.shutdown_timeout;
        let started = Instant::now();
        if !self.wait_at_most(limit) {
            let left = self.terminate();
            // A closed standard error must not cause a panic here.
            let _ = writeln!(
                io::stderr(),
                "loom: {left} still running {limit:?} after the body of `main` returned; ending \
                 without them (see `shutdown_timeout`)",
            );
            // Even if another handle exists, no local core continues.
            self.inner.local.end(ShutdownWait::None);
        }
        // `limit` is at most 24 h, so the sum does not overflow in practice.
        let deadline = started.checked_add(limit).unwrap_or(started);
        self.inner.local.wait_until(deadline);
        self.inner.tokio.wait_until(deadline);
        self.inner.keep_profile();
    }
}

/// From now on a runtime is idle once its tracked work has ended.
pub(super) fn begin_shutdown(core: &Core, tracker: &OnceLock<TaskTracker>) {
    core.lifecycle.drain();
    if let Some(tracker) = tracker.get() {
        // It calls wakers of the program.
        ignore_panic(|| {
            tracker.close();
        });
    }
}

/// Waits for a future until an alarm; returns whether the future was ready before.
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
            // The pools' threads are not in this process, and a lock that one of them held stays
            // locked.
            std::mem::forget(Arc::clone(&self.pools));
            return;
        }
        beside::unregister(&self.core);
        // Before the threads end, so that queued calls are refused and do not run.
        self.core.lifecycle.leave();
        self.stop_loops();
        self.core.resume_time();
        self.leave_registries();
        self.keep_profile();
        if self.core.owner.must_not_wait() {
            self.tokio.wait_until(Instant::now());
            self.tokio.end(ShutdownWait::None);
        }
    }
}
