//! The runtime as its users hold it.

use std::fmt;
use std::io::{self, Write};

use rayon::ThreadPool;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::error::{LoomError, Result};
use crate::scheduler::{ComputeHint, Site};
use crate::sync::{Arc, mpsc};
use crate::topology::{CpuSet, Pin, Plan, Role, ThreadPlacement};

use super::adaptive::{AdaptiveFuture, place};
use super::block_on::help_until_ready;
use super::compute::{ComputeFuture, admit, offload};
use super::config::LoomConfig;
use super::context;
use super::core::Core;
use super::functions::{self, FunctionStats};
use super::shutdown::REFUSED;
use super::threads;
use super::tokio_side::TokioSide;

/// One runtime of I/O workers and compute threads. Cheap to clone; all clones are the same
/// runtime, which ends when the last one is dropped.
///
/// Dropping the last handle refuses calls that are still queued, drops async tasks at
/// their next await, and waits, like tokio's runtime, for blocking functions that have
/// started; on a thread that has entered a tokio runtime, to drive async code or by
/// `Handle::enter`, it leaves those behind instead of waiting.
/// Compute calls that are running finish on their own. To let work finish first, call
/// [`block_until_idle`](Self::block_until_idle).
#[derive(Clone)]
pub struct LoomRuntime {
    inner: Arc<Inner>,
}

/// Owns the threads. Neither they nor their jobs own it.
pub(crate) struct Inner {
    core: Arc<Core>,
    config: LoomConfig,
    plan: Arc<Plan>,
    threads: Vec<ThreadPlacement>,
    tokio_cpus: CpuSet,
    rayon_cpus: CpuSet,
    pool: Arc<ThreadPool>,
    tokio: TokioSide,
}

impl LoomRuntime {
    pub(crate) fn start(config: LoomConfig, plan: Plan) -> Result<Self> {
        let core = Arc::new(Core::new(Some(plan.io.len()), plan.compute.len()));
        let plan = Arc::new(plan);
        let (sender, placed) = mpsc::channel();
        let tokio = threads::start_tokio(&core, &plan, &config.prefix, sender.clone())?;
        let tokio = TokioSide::new(tokio);
        let handle = tokio.runtime().handle();
        let pool = threads::start_rayon(&core, &plan, &config.prefix, Some(handle), &sender)?;
        let pool = Arc::new(pool);

        let started = plan.io.len() + plan.compute.len();
        let mut threads: Vec<ThreadPlacement> = placed.iter().take(started).collect();
        threads.sort_by(|a, b| a.name.cmp(&b.name));
        let cpus_of = |role| threads.iter().filter(move |t| t.role == role);
        let union = |role| {
            cpus_of(role).flat_map(|t| t.obtained.cpus.as_slice()).copied().collect::<CpuSet>()
        };
        let inner = Arc::new(Inner {
            tokio_cpus: union(Role::Io),
            rayon_cpus: union(Role::Compute),
            tokio,
            core,
            config,
            plan,
            threads,
            pool,
        });
        // The core was made here, so nobody has set them.
        let _ = inner.core.pool.set(Arc::downgrade(&inner.pool));
        let _ = inner.core.runtime.set(Arc::downgrade(&inner));
        inner.check_pinned()?;
        Ok(Self { inner })
    }

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
        self.inner.tokio.runtime().handle()
    }

    /// Direct, untracked access to the I/O side, as the runtime itself.
    #[must_use]
    pub fn tokio_runtime(&self) -> &Runtime {
        self.inner.tokio.runtime()
    }

    /// Direct, untracked access to the compute side.
    #[must_use]
    pub fn rayon_pool(&self) -> &ThreadPool {
        &self.inner.pool
    }

    /// The tracker that counts async tasks and compute calls of this runtime.
    #[must_use]
    pub fn task_tracker(&self) -> &TaskTracker {
        self.core().lifecycle.tracker()
    }

    /// Drives `future` to its end on the calling thread, inside this runtime's context.
    ///
    /// It may be nested: the outer context is back when it returns. On one of this
    /// runtime's compute threads it runs other compute work while it waits, up to 32 waits
    /// deep, so do not hold an async lock across it that such work may want.
    ///
    /// # Panics
    ///
    /// Within async code of any tokio runtime, which must not be blocked: await the
    /// future instead, or wrap the call in `tokio::task::block_in_place`. And when
    /// `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        if self.inner.pool.current_thread_index().is_some() {
            return help_until_ready(&self.inner.pool, future);
        }
        let _context = context::enter(Arc::clone(self.core()));
        self.inner.tokio.runtime().block_on(future)
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
        let lifecycle = &self.core().lifecycle;
        // Held until the tracker has counted the task itself.
        let Some(_admitted) = lifecycle.admit() else { panic!("{REFUSED}") };
        lifecycle.tracker().spawn_on(future, self.tokio_handle())
    }

    /// Runs `f` on the compute pool, from now on; the future waits for its result.
    ///
    /// What dropping the future does is said at [`ComputeFuture`].
    /// On a compute thread `tokio::spawn`, `Handle::current` and
    /// [`current_runtime`](crate::current_runtime) work as elsewhere.
    /// Cost: two allocations, a block of the pool's queue every 63 calls, and two thread
    /// hand-overs; `loom-bench micro` prints what they come to.
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
        offload(Arc::clone(self.core()), admit(self.core()), None, f)
    }

    /// Runs `f` inline or on the compute pool, whichever has measured as cheaper for this
    /// closure's type. The rule is in the scheduler's README.
    ///
    /// Inline means here and now, before this returns.
    ///
    /// # Panics
    ///
    /// As [`spawn_compute`](Self::spawn_compute), on either arm.
    #[track_caller]
    pub fn spawn_adaptive<F, R>(&self, f: F) -> AdaptiveFuture<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.spawn_adaptive_with_hint(ComputeHint::Unknown, f)
    }

    /// [`spawn_adaptive`](Self::spawn_adaptive) with an expectation of what `f` costs.
    ///
    /// # Panics
    ///
    /// As [`spawn_compute`](Self::spawn_compute), on either arm.
    #[track_caller]
    pub fn spawn_adaptive_with_hint<F, R>(&self, hint: ComputeHint, f: F) -> AdaptiveFuture<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        place(self.core(), Site::of_type::<F>(hint), hint, f)
    }

    /// Runs `f` on the compute pool and blocks until it returns; parallel iterators and
    /// `rayon::join` inside use this pool. Untracked, as direct use of the pool is.
    ///
    /// # Panics
    ///
    /// When `f` panics. Do not call it from async code: it blocks the I/O worker.
    pub fn install<F, R>(&self, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        self.inner.pool.install(f)
    }

    /// Begins the end: from now on [`is_idle`](Self::is_idle) can become true. Work is
    /// still accepted, since what is being finished may need it.
    pub fn shutdown(&self) {
        self.core().lifecycle.drain();
    }

    /// Whether [`shutdown`](Self::shutdown) was called and every tracked task and compute
    /// call has ended.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.core().lifecycle.is_idle()
    }

    /// Compute calls that were submitted and have not ended.
    #[must_use]
    pub fn compute_tasks_in_flight(&self) -> usize {
        self.core().in_flight()
    }

    /// Waits until [`shutdown`](Self::shutdown) was called and all tracked work has ended.
    /// New work is refused from then on. May be cancelled and awaited again.
    pub async fn wait_for_shutdown(&self) {
        self.core().lifecycle.finished().await;
    }

    /// [`shutdown`](Self::shutdown), and blocks until all tracked work has ended. New work
    /// is refused from then on. Called from tracked work it would wait for itself, for ever.
    ///
    /// # Panics
    ///
    /// Where [`block_on`](Self::block_on) does.
    #[track_caller]
    pub fn block_until_idle(&self) {
        self.shutdown();
        self.block_on(self.wait_for_shutdown());
    }

    /// What this runtime has seen of each function, by name.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionStats> {
        functions::of_core(self.core())
    }

    /// How many I/O workers there are.
    #[must_use]
    pub fn tokio_threads(&self) -> usize {
        self.inner.plan.io.len()
    }

    /// How many compute threads there are.
    #[must_use]
    pub fn rayon_threads(&self) -> usize {
        self.inner.pool.current_num_threads()
    }

    /// The CPUs that I/O workers may run on, as the system told each at its start.
    #[must_use]
    pub fn tokio_cpus(&self) -> &[usize] {
        self.inner.tokio_cpus.as_slice()
    }

    /// The CPUs that compute threads may run on, as the system told each at its start.
    #[must_use]
    pub fn rayon_cpus(&self) -> &[usize] {
        self.inner.rayon_cpus.as_slice()
    }

    /// The CPUs of the budget: those that the thread which built the runtime may run on.
    #[must_use]
    pub fn effective_cpuset(&self) -> &[usize] {
        self.inner.plan.budget.cpus.as_slice()
    }

    /// Ends the runtime within its `shutdown_timeout`, for `#[loom::main]`.
    pub(crate) fn drain(self) {
        let limit = self.inner.config.shutdown_timeout;
        self.shutdown();
        let idle =
            self.block_on(async { tokio::time::timeout(limit, self.wait_for_shutdown()).await });
        if idle.is_err() {
            // A closed standard error is no reason to panic at the end.
            let _ = writeln!(
                io::stderr(),
                "loom: {} tasks and compute calls were still running {limit:?} after the body of \
                 `main` returned; ending without them (see `shutdown_timeout`)",
                self.task_tracker().len(),
            );
        }
        self.inner.tokio.wait_at_most(limit);
    }

    fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }
}

impl Inner {
    fn check_pinned(&self) -> Result<()> {
        if self.config.pin != Pin::Required {
            return Ok(());
        }
        let refused =
            self.threads.iter().find_map(|thread| Some((thread, thread.refused.as_ref()?)));
        refused.map_or(Ok(()), |(thread, error)| {
            Err(LoomError::PinRefused {
                thread: thread.name.clone(),
                cpus: thread.seat.cpus.as_ref().map(ToString::to_string).unwrap_or_default(),
                source: same_error(error),
            })
        })
    }
}

/// The error once more: it is not `Clone`, and the placement keeps it for `Display`.
fn same_error(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Before the threads go, so that what is still queued is refused, not run.
        self.core.lifecycle.leave();
    }
}

impl fmt::Debug for LoomRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoomRuntime")
            .field("config", &self.inner.config)
            .field("compute_tasks_in_flight", &self.compute_tasks_in_flight())
            .field("tracked", &self.task_tracker().len())
            .finish_non_exhaustive()
    }
}

/// The placement that was really obtained, a line a thread.
impl fmt::Display for LoomRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { budget, placement, io, compute, .. } = &*self.inner.plan;
        write!(
            f,
            "loom runtime: {} I/O + {} compute threads on CPUs {} ({} at once), {placement}",
            io.len(),
            compute.len(),
            budget.cpus,
            budget.parallelism,
        )?;
        for thread in &self.inner.threads {
            let ThreadPlacement { name, obtained, seat, refused, .. } = thread;
            write!(f, "\n  {name}: CPUs {}, {} priority", obtained.cpus, obtained.priority)?;
            if let Some(error) = refused {
                write!(f, " (pinning refused: {error})")?;
            }
            if obtained.priority != seat.priority {
                write!(f, " ({} was asked for)", seat.priority)?;
            }
        }
        Ok(())
    }
}
