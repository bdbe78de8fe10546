//! The methods of a runtime that decide where a call runs.

use crate::call::{AdaptiveFuture, CallInfo, TryComputeFuture, place, try_place};
use crate::scheduler::{ComputeHint, Context, MabScheduler};
use crate::sync::Arc;

use super::handle::LoomRuntime;

impl LoomRuntime {
    /// Runs `f` inline or on the compute pool, whichever has measured as cheaper for this
    /// closure's type. The scheduler's README states the rule.
    ///
    /// An inline call runs before this method returns, as part of the calling task, and is not
    /// tracked separately.
    ///
    /// Cost: a settled inline call takes some thread-local loads and the move of the result, and
    /// allocates nothing. A measured call takes some hundred nanoseconds; they take about a hundredth of
    /// the time. An offloaded call costs what [`spawn_compute`](Self::spawn_compute) costs, and a decision.
    /// `loom-bench decide` and `loom-bench micro` print these.
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

    /// [`spawn_adaptive`](Self::spawn_adaptive) with a hint of how long `f` takes.
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
        place(self.core(), CallInfo::closure::<F>(hint), f)
    }

    /// [`spawn_adaptive`](Self::spawn_adaptive) that returns failures as errors, as
    /// [`try_spawn_compute`](Self::try_spawn_compute) does.
    ///
    /// # Errors
    ///
    /// The first poll returns an error if `f` panics, if the runtime has been shut down or ends before `f`
    /// starts, and if `f` would be offloaded while the queue is full or there are no compute threads. A full
    /// queue refuses no inline call.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let failed = runtime.try_spawn_adaptive(|| -> () { panic!("out of ink") });
    /// assert!(runtime.block_on(failed).is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn try_spawn_adaptive<F, R>(&self, f: F) -> TryComputeFuture<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        try_place(self.core(), CallInfo::closure::<F>(ComputeHint::Unknown), f)
    }

    /// Manual decisions, for programs that run the work themselves. Each call returns the same
    /// scheduler, which knows the overhead of this runtime's compute pool.
    #[must_use]
    pub fn mab_scheduler(&self) -> Arc<MabScheduler> {
        let core = self.core();
        let made = || {
            let overhead = Arc::clone(&core.io.overhead);
            Arc::new(MabScheduler::with_overhead(core.knobs, overhead))
        };
        Arc::clone(core.manual.get_or_init(made))
    }

    /// The current conditions of a decision, for [`mab_scheduler`](Self::mab_scheduler): an
    /// estimate, at most a millisecond old.
    #[must_use]
    pub fn collect_context(&self) -> Context {
        let core = self.core();
        let conditions = core.conditions(core.now());
        let workers = self.tokio_threads();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "estimates, which are never negative"
        )]
        let (ready, rate) = (
            (conditions.pressure * workers as f64).round() as u32,
            (conditions.arrivals * 1e9 * workers as f64) as f32,
        );
        Context {
            tokio_workers: count(workers),
            inflight_tasks: ready,
            spawn_rate_per_s: rate,
            rayon_threads: count(self.rayon_threads()),
            rayon_queue_depth: count(core.queue.waiting()),
        }
    }
}
