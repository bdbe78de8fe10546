//! The runtime as its users hold it.

use rayon::ThreadPool;
use tokio::runtime::{Handle, Runtime, RuntimeMetrics};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::bridge::Priority;
use crate::call::{CallOptions, ComputeFuture, TryComputeFuture, offload, try_offload};
use crate::config::LoomConfig;
use crate::core::{Admitted, Core, EnterGuard, Refusal, context};
use crate::observe::{FunctionStats, of_core};
use crate::sync::Arc;
use crate::threads::{blocking, help_until_ready, task};
use crate::topology::os;

use super::inner::Inner;

/// One runtime of I/O workers and compute threads. Cheap to clone; all clones are the same
/// runtime, which ends when the last one is dropped.
///
/// Dropping the last handle refuses calls that are still queued, drops async tasks at
/// their next await, and waits, like tokio's runtime, for blocking functions that have
/// started; on a thread of any runtime, tokio's blocking threads included, it leaves those
/// behind instead of waiting. Compute calls that are running finish on their own.
/// To let work finish first, call [`block_until_idle`](Self::block_until_idle); to end it
/// although another owner, perhaps one of its own tasks, keeps a handle,
/// [`shutdown_timeout`](Self::shutdown_timeout) or
/// [`shutdown_background`](Self::shutdown_background).
///
/// After a `fork` the child has a copy of this and none of the threads: every call that
/// needs them panics and says so, and dropping it does nothing. No runtime can be built in
/// it either, since its libraries' locks may be held by threads that are not there. A
/// program that forks its workers does so before it builds its first runtime.
#[derive(Clone)]
pub struct LoomRuntime {
    pub(crate) inner: Arc<Inner>,
}

impl LoomRuntime {
    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// The resolved configuration.
    #[must_use]
    pub fn config(&self) -> &LoomConfig {
        &self.inner.config
    }

    /// Direct, untracked access to the I/O side.
    #[must_use]
    pub fn tokio_handle(&self) -> &Handle {
        self.inner.tokio.handle()
    }

    /// Direct, untracked access to the I/O side, as the runtime itself.
    ///
    /// From then on tokio's part ends with the last handle, and not before.
    ///
    /// # Panics
    ///
    /// Where the I/O side is a given tokio runtime
    /// ([`beside`](crate::LoomBuilder::beside)), and where it has been ended: use
    /// [`tokio_handle`](Self::tokio_handle) there.
    #[must_use]
    #[track_caller]
    pub fn tokio_runtime(&self) -> &Runtime {
        let Some(runtime) = self.inner.tokio.lend() else {
            panic!(
                "this runtime does not own a tokio runtime (any more): it was built beside one, \
                 or has been ended; use `tokio_handle`"
            );
        };
        runtime
    }

    /// Direct, untracked access to the compute side.
    #[must_use]
    pub fn rayon_pool(&self) -> &ThreadPool {
        &self.inner.pool
    }

    /// A tracker of tokio-util's for tasks that are spawned some other way.
    ///
    /// A graceful end waits for what it tracks as well; it does not refuse it.
    /// What Loom spawns is counted elsewhere and does not appear in it.
    #[must_use]
    pub fn task_tracker(&self) -> &TaskTracker {
        let tracker = self.inner.task_tracker.get_or_init(TaskTracker::new);
        if self.core().lifecycle.is_draining() {
            tracker.close();
        }
        tracker
    }

    /// Enters the runtime until the guard is dropped: `tokio::spawn`, `Handle::current` and
    /// the free functions of this crate then mean this one. Guards end in reverse order.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let task = {
    ///     let _guard = runtime.enter();
    ///     tokio::spawn(async { loom::current_runtime().is_some() })
    /// };
    /// assert!(runtime.block_on(task).expect("it does not panic"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard::new(Arc::clone(self.core()), self.tokio_handle())
    }

    /// Drives `future` to its end on the calling thread, inside this runtime's context.
    ///
    /// It may be nested: the outer context is back when it returns. On one of this
    /// runtime's compute threads it runs other compute work while it waits, up to 32 waits
    /// deep, so do not hold an async lock across it that such work may want. It goes on
    /// after the runtime was ended, though what `future` waits for may then never come.
    /// Beside a given current-thread runtime it does not drive that runtime's tasks.
    ///
    /// # Panics
    ///
    /// Within async code of any tokio runtime, which must not be blocked: await the
    /// future instead, or wrap the call in `tokio::task::block_in_place`. In a forked child.
    /// And when `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(!os::is_forked(), "{}", Refusal::Forked);
        #[cfg(feature = "plugin")]
        if let Some(host) = self.core().owner.host() {
            let context = self.core().owner.context();
            let future = crate::guest::Within::new(future, self.tokio_handle().clone(), context);
            return crate::guest::block_on(self.core(), host, future)
                .unwrap_or_else(|refused| panic!("{refused}"));
        }
        if self.inner.pool.current_thread_index().is_some() {
            return help_until_ready(self.core(), &self.inner.pool, future);
        }
        let _context = context::drive(Arc::clone(self.core()));
        self.inner.tokio.block_on(future)
    }

    /// Spawns an async task that [`block_until_idle`](Self::block_until_idle) waits for.
    ///
    /// Aborting, joining and panics are those of [`tokio::spawn`].
    ///
    /// # Panics
    ///
    /// On a runtime that has been shut down.
    #[track_caller]
    pub fn spawn_async<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::tracked(self.core(), self.tokio_handle(), future)
    }

    /// Runs a function that blocks, such as file access, on one of tokio's threads for that:
    /// on the whole budget and at normal priority, wherever this is called.
    ///
    /// Aborting, joining and panics are those of [`tokio::task::spawn_blocking`]; a graceful
    /// end waits for it. On a compute thread `tokio::task::spawn_blocking` itself may start
    /// a thread that inherits the idle class; this does not.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let entries = runtime.spawn_blocking(|| std::fs::read_dir(".").map(Iterator::count));
    /// let entries = runtime.block_on(entries).expect("it does not panic");
    /// assert!(entries.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// On a runtime that has been shut down, and in a forked child. Where the system refuses a
    /// thread, the function waits until a thread becomes free or the system grants one, and a line
    /// on standard error says so; beside a given tokio runtime, tokio panics instead.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        blocking::spawn(Admitted::or_panic(self.core()), self.tokio_handle(), f)
    }

    /// Runs `f` on the compute pool, from now on; the future waits for its result.
    ///
    /// What dropping the future does is said at [`ComputeFuture`].
    /// On a compute thread `tokio::spawn`, `Handle::current` and
    /// [`current_runtime`](crate::current_runtime) work as elsewhere.
    /// Where `compute_queue` calls wait already, this one is queued as well, behind them;
    /// [`try_spawn_compute`](Self::try_spawn_compute) refuses it.
    /// Cost: no allocation while the pool is awake, one or two to wake it;
    /// `loom-bench micro` prints what calls come to.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let sum = runtime.spawn_compute(|| (1..=1000_u64).sum::<u64>());
    /// assert_eq!(runtime.block_on(sum), 500_500);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// On a runtime that has been shut down. A panic of `f` is raised again where the
    /// future is awaited.
    #[track_caller]
    pub fn spawn_compute<F, R>(&self, f: F) -> ComputeFuture<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.spawn_compute_with_priority(Priority::Normal, f)
    }

    /// [`spawn_compute`](Self::spawn_compute) before or after what else waits; see
    /// [`Priority`].
    ///
    /// # Panics
    ///
    /// As [`spawn_compute`](Self::spawn_compute).
    #[track_caller]
    pub fn spawn_compute_with_priority<F, R>(&self, priority: Priority, f: F) -> ComputeFuture<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let options = CallOptions { priority, ..CallOptions::default() };
        ComputeFuture::or_panic(offload(self.core(), Admitted::or_panic(self.core()), options, f))
    }

    /// [`spawn_compute`](Self::spawn_compute) that returns failures as errors: a panic of `f`, a
    /// runtime that was shut down, and a full queue (`compute_queue` calls wait already), which the
    /// first poll reports.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let sum = runtime.try_spawn_compute(|| (1..=1000_u64).sum::<u64>());
    /// assert_eq!(runtime.block_on(sum).ok(), Some(500_500));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_spawn_compute<F, R>(&self, f: F) -> TryComputeFuture<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.try_spawn_compute_with_priority(Priority::Normal, f)
    }

    /// [`try_spawn_compute`](Self::try_spawn_compute) before or after what else waits; see
    /// [`Priority`].
    pub fn try_spawn_compute_with_priority<F, R>(
        &self,
        priority: Priority,
        f: F,
    ) -> TryComputeFuture<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let options = CallOptions { priority, ..CallOptions::default() };
        TryComputeFuture::new(try_offload(self.core(), options, f))
    }

    /// Runs `f` on the compute pool and blocks until it returns; parallel iterators and
    /// `rayon::join` inside use this pool. Untracked, as direct use of the pool is.
    ///
    /// # Panics
    ///
    /// When `f` panics, and in a forked child. Do not call it from async code: it blocks the
    /// I/O worker.
    pub fn install<F, R>(&self, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        assert!(!os::is_forked(), "{}", Refusal::Forked);
        self.core().install(&self.inner.pool, f)
    }

    /// Compute calls that were submitted and have not ended.
    #[must_use]
    pub fn compute_tasks_in_flight(&self) -> usize {
        self.core().in_flight()
    }

    /// How often a compute thread was fetched for calls, because none was looking for more:
    /// each time costs an allocation of the pool's, and a hand-over of the system's. Calls that
    /// come one soon after another need none.
    #[must_use]
    pub fn compute_wakes(&self) -> u64 {
        self.core().counters.wakes.count()
    }

    /// What this runtime has seen of each function, by name.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionStats> {
        of_core(self.core())
    }

    /// How many I/O workers there are; 1 for a current-thread runtime, which has the thread
    /// that drives it.
    #[must_use]
    pub fn tokio_threads(&self) -> usize {
        self.tokio_handle().metrics().num_workers()
    }

    /// How many compute threads there are.
    #[must_use]
    pub fn rayon_threads(&self) -> usize {
        self.inner.pool.current_num_threads()
    }

    /// Tokio's own figures of the I/O side.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        self.tokio_handle().metrics()
    }

    /// The CPUs that I/O workers may run on, as the system reported at the start of each. Empty
    /// where Loom does not place them: on a current-thread runtime, and beside a given one.
    #[must_use]
    pub fn tokio_cpus(&self) -> &[usize] {
        self.inner.tokio_cpus.as_slice()
    }

    /// The CPUs that compute threads may run on, as the system reported at the start of each.
    #[must_use]
    pub fn rayon_cpus(&self) -> &[usize] {
        self.inner.rayon_cpus.as_slice()
    }

    /// The CPUs of the budget: those of the process, within `cpuset`.
    #[must_use]
    pub fn effective_cpuset(&self) -> &[usize] {
        self.core().plan.budget.cpus.as_slice()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }
}
