//! The handle of a runtime.

use rayon::ThreadPool;
use tokio::runtime::{Handle, Runtime, RuntimeMetrics};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::bridge::Priority;
use crate::call::{CallOptions, ComputeFuture, TryComputeFuture, offload, try_offload};
use crate::config::LoomConfig;
use crate::core::{Admitted, Core, EnterGuard, Refusal, context};
use crate::observe::{FunctionStats, of_core};
use crate::panics::ignore_panic;
use crate::sync::Arc;
use crate::threads::{self, blocking, global_rayon, install, task};
use crate::topology::os;

use super::inner::Inner;

/// A handle to one runtime of I/O workers and compute threads. It is cheap to clone. All clones
/// refer to the same runtime, which ends when the last one is dropped.
///
/// When the last handle is dropped, queued calls are refused, and async tasks are dropped at their
/// next await. Like the drop of a tokio runtime, the drop waits for blocking functions that have
/// started; on a thread of any runtime, even one of tokio's blocking threads, it does not wait.
/// Running compute calls finish on their own.
///
/// To let work finish first, call [`block_until_idle`](Self::block_until_idle). To end the runtime
/// while other handles exist, for example in one of its own tasks, call
/// [`shutdown_timeout`](Self::shutdown_timeout) or
/// [`shutdown_background`](Self::shutdown_background).
///
/// After a `fork`, the child has a copy of the handle but none of the threads. Every call that
/// needs the threads panics with that reason, and a drop of the handle has no effect. The child
/// cannot build a new runtime either, since threads that exist only in the parent may hold locks of
/// its libraries. A program that forks its workers has to do so before it builds its first runtime.
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

    /// Direct, untracked access to the I/O side, as a tokio `Runtime`.
    ///
    /// From then on, the tokio runtime ends when the last handle is dropped, and not before.
    ///
    /// # Panics
    ///
    /// If the I/O side is a given tokio runtime ([`beside`](crate::LoomBuilder::beside)), or has
    /// been ended: use [`tokio_handle`](Self::tokio_handle) there.
    #[must_use]
    #[track_caller]
    pub fn tokio_runtime(&self) -> &Runtime {
        let Some(runtime) = self.inner.tokio.lend() else {
            panic!(
                "this runtime does not own a tokio runtime (any more): it was built beside one, \
                 or it has been ended; use `tokio_handle`"
            );
        };
        runtime
    }

    /// Direct, untracked access to the compute side: the pool that runs compute work at this moment.
    ///
    /// With [`ComputePriority::Auto`](crate::ComputePriority::Auto) there may be a second pool, of
    /// normal priority. Work that is given to either of them runs there, in its class, until the
    /// runtime ends. Loom does not notice when such work gets no CPU time; it does notice it of
    /// [`install`](Self::install).
    #[must_use]
    pub fn rayon_pool(&self) -> &ThreadPool {
        global_rayon::exists_before_idle_work(self.core());
        self.inner.pools.current()
    }

    /// A tokio-util tracker for tasks that the program spawns without Loom.
    ///
    /// A graceful shutdown also waits for the tasks of the tracker, and does not refuse new ones.
    /// Loom counts the tasks that it spawns itself elsewhere; they do not appear in the tracker.
    #[must_use]
    pub fn task_tracker(&self) -> &TaskTracker {
        let tracker = self.inner.task_tracker.get_or_init(TaskTracker::new);
        if self.core().lifecycle.is_draining() {
            // It calls wakers of the program.
            ignore_panic(|| {
                tracker.close();
            });
        }
        tracker
    }

    /// Enters the runtime until the guard is dropped: until then, `tokio::spawn`,
    /// `Handle::current` and the free functions of this crate use this runtime. Drop guards in the
    /// reverse order of their creation.
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
    /// Calls may be nested: when the inner call returns, the outer context is restored. A compute
    /// thread that waits runs nothing else: a spare thread takes its place, so that compute calls go
    /// on ([`max_spares`](crate::LoomBuilder::max_spares)). The call continues after the runtime has
    /// been ended, though the event that `future` waits for may then never occur. Beside a given
    /// current-thread runtime, it does not drive that runtime's tasks.
    ///
    /// # Panics
    ///
    /// If called from async code of any tokio runtime, which must not block: await the future
    /// instead, or wrap the call in [`block_in_place`](crate::block_in_place). On a compute thread
    /// that has to wait where no spare thread can take its place. In a forked child. If `future`
    /// panics.
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
        if self.core().is_own_compute_thread() {
            return threads::block_on(future).unwrap_or_else(|no_spare| panic!("{no_spare}"));
        }
        let _context = context::drive(Arc::clone(self.core()));
        // This may be a compute thread of another runtime.
        self.inner.tokio.block_on(threads::lending(future))
    }

    /// Spawns an async task that [`block_until_idle`](Self::block_until_idle) waits for.
    ///
    /// Aborting, joining and panics work as with [`tokio::spawn`].
    ///
    /// # Panics
    ///
    /// If the runtime has been shut down.
    #[track_caller]
    pub fn spawn_async<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::tracked(self.core(), self.tokio_handle(), future)
    }

    /// Runs a function that blocks, such as file access, on one of tokio's blocking threads. That
    /// thread may use the whole budget and has normal priority, from whichever thread this is
    /// called.
    ///
    /// Aborting, joining and panics work as with [`tokio::task::spawn_blocking`]; a graceful
    /// shutdown waits for the function. If a compute thread calls `tokio::task::spawn_blocking`
    /// directly, tokio may start a thread that inherits the idle class; this method avoids that.
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
    /// If the runtime has been shut down, and in a forked child. If the system refuses a thread,
    /// the function waits until a thread becomes free or the system grants one, and Loom prints a
    /// warning on standard error; beside a given tokio runtime, tokio panics instead.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        blocking::spawn(Admitted::or_panic(self.core()), self.tokio_handle(), f)
    }

    /// Submits `f` to the compute pool at once, and returns a future of its result.
    ///
    /// [`ComputeFuture`] states what a drop of the future does.
    /// On a compute thread, `tokio::spawn`, `Handle::current` and
    /// [`current_runtime`](crate::current_runtime) work as on other threads.
    /// If `compute_queue` calls wait already, this call is still queued behind them;
    /// [`try_spawn_compute`](Self::try_spawn_compute) refuses it.
    /// Cost: no allocation while the pool is awake, one or two to wake it;
    /// `loom-bench micro` prints what calls cost.
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
    /// If the runtime has been shut down. A panic of `f` is raised again where the future is
    /// awaited.
    #[track_caller]
    pub fn spawn_compute<F, R>(&self, f: F) -> ComputeFuture<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.spawn_compute_with_priority(Priority::Normal, f)
    }

    /// [`spawn_compute`](Self::spawn_compute) with a priority, by which the call may overtake
    /// queued calls or be overtaken; see [`Priority`].
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
    /// runtime that has been shut down, or a full queue (`compute_queue` calls wait already), which
    /// the first poll reports.
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

    /// [`try_spawn_compute`](Self::try_spawn_compute) with a priority; see [`Priority`].
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

    /// Runs `f` on the compute pool and blocks until `f` returns. Parallel iterators and
    /// `rayon::join` inside `f` use this pool. The work is not tracked, as with direct use of the
    /// pool. Do not call this from async code: it blocks the I/O worker.
    ///
    /// The work stays in the pool that runs compute work when this is called
    /// ([`rayon_pool`](Self::rayon_pool)). It needs a thread of that pool, and a thread that waits
    /// ([`block_on`](Self::block_on)) runs no other work: if all of them wait, so does this. Within a
    /// call that runs on a spare, `f` runs on the spare itself.
    ///
    /// # Panics
    ///
    /// If `f` panics, and in a forked child.
    pub fn install<F, R>(&self, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        assert!(!os::is_forked(), "{}", Refusal::Forked);
        if self.core().is_own_compute_thread() && rayon::current_thread_index().is_none() {
            // A spare: the threads of the pool may all wait, one of them for this.
            return f();
        }
        global_rayon::exists_before_idle_work(self.core());
        install(self.core(), &self.inner.pools, f)
    }

    /// How many compute calls have been submitted and have not ended.
    #[must_use]
    pub fn compute_tasks_in_flight(&self) -> usize {
        self.core().in_flight()
    }

    /// How often a compute thread was fetched for queued calls, because no compute thread was
    /// searching for calls. Each time costs an allocation in the pool and a thread hand-over by the
    /// system. Calls that follow one another closely need no fetch.
    #[must_use]
    pub fn compute_wakes(&self) -> u64 {
        self.core().counters.wakes.count()
    }

    /// What this runtime has measured of each function, sorted by name.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionStats> {
        of_core(self.core())
    }

    /// How many I/O workers there are; 1 for a current-thread runtime, whose tasks run on the
    /// thread that drives it.
    #[must_use]
    pub fn tokio_threads(&self) -> usize {
        self.tokio_handle().metrics().num_workers()
    }

    /// How many compute threads there are.
    #[must_use]
    pub fn rayon_threads(&self) -> usize {
        self.inner.pools.current().current_num_threads()
    }

    /// Tokio's own metrics of the I/O side.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        self.tokio_handle().metrics()
    }

    /// The CPUs that I/O workers may run on, as the system reported when each worker started. Empty
    /// if Loom does not place the workers: on a current-thread runtime, and beside a given one.
    #[must_use]
    pub fn tokio_cpus(&self) -> &[usize] {
        self.inner.tokio_cpus.as_slice()
    }

    /// The CPUs that compute threads may run on, as the system reported when each thread started.
    #[must_use]
    pub fn rayon_cpus(&self) -> &[usize] {
        self.inner.rayon_cpus.as_slice()
    }

    /// The CPUs of the budget: those that the process may use, restricted to `cpuset`.
    #[must_use]
    pub fn effective_cpuset(&self) -> &[usize] {
        self.core().plan.budget.cpus.as_slice()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }
}
