//! The methods of a runtime that return figures.

use std::time::Duration;

use crate::bridge::Priority;
use crate::call::would_wait;
use crate::observe::{LoomMetrics, Report, SlowPoll, of_polls};
use crate::scheduler::CalibrationResult;

use super::handle::LoomRuntime;

impl LoomRuntime {
    /// How long a compute call of that priority would wait for a thread if it were submitted now.
    /// Zero if no call waits.
    ///
    /// This is an estimate. It uses how long calls of that priority have waited lately for each
    /// place in the queue, and for how long no call has ended. It is meant for display; a program
    /// that sheds load uses [`would_wait`](Self::would_wait).
    /// Cost: a clock reading and some relaxed loads.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use loom::Priority;
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().build()?;
    /// assert_eq!(runtime.expected_queue_wait(Priority::Normal), Duration::ZERO);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn expected_queue_wait(&self, priority: Priority) -> Duration {
        let core = self.core();
        core.backlog.expected(priority, core.queue.waiting(), core.now())
    }

    /// The time that a compute call of that priority would wait for a thread if it were submitted
    /// now, if that is longer than `bound`; otherwise `None`. A caller that gets a time should not
    /// make its call and should report that, as the layer of the feature `tower` does.
    ///
    /// If no call of that priority has started for a while (`bound`, or a tenth of a second if
    /// that is longer), the wait is unknown. One caller then gets `None`, and has to make its call,
    /// which measures the wait. If it does not, another caller gets `None` after ten times as long.
    /// Cost: a clock reading and some relaxed loads.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use loom::Priority;
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().build()?;
    /// let bound = Duration::from_millis(200);
    /// let sum = match runtime.would_wait(Priority::Normal, bound) {
    ///     Some(wait) => Err(format!("try again in {wait:?}")),
    ///     None => Ok(runtime.block_on(runtime.spawn_compute(|| (1..=10).sum::<u32>()))),
    /// };
    /// assert_eq!(sum, Ok(55));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn would_wait(&self, priority: Priority, bound: Duration) -> Option<Duration> {
        self.core().would_wait(priority, bound)
    }

    /// [`would_wait`](Self::would_wait) for one function, by its [`path`](crate::FunctionStats::path) or
    /// [`name`](crate::FunctionStats::name): `None` also where its calls would most likely run inline,
    /// seen from the calling thread. The priority is that of the function's last calls, or that of an
    /// override. Of the instances and classes of inputs that were called, the one that waits longest
    /// counts. A function that was not called yet waits as one of normal priority.
    ///
    /// Cost: that of `would_wait`, a comparison of names for each function of the runtime, and a look at
    /// the measurements of those that have this name.
    ///
    /// ```
    /// # use std::time::Duration;
    /// #[loom::compute(priority = "low")]
    /// fn index(text: String) -> usize {
    ///     text.split(' ').count()
    /// }
    ///
    /// #[loom::main]
    /// async fn main() {
    ///     let runtime = loom::current_runtime().expect("`#[loom::main]` has one");
    ///     let function = concat!(module_path!(), "::index");
    ///     let words = match runtime.would_wait_for(function, Duration::from_millis(200)) {
    ///         Some(wait) => Err(format!("try again in {wait:?}")),
    ///         None => Ok(index("one two".to_owned()).await),
    ///     };
    ///     assert_eq!(words, Ok(2));
    /// }
    /// ```
    #[must_use]
    pub fn would_wait_for(&self, function: &str, bound: Duration) -> Option<Duration> {
        let core = self.core();
        let mut called = core.functions_named(function).peekable();
        if called.peek().is_none() {
            return core.would_wait(Priority::Normal, bound);
        }
        would_wait(core, called, bound).map(|(_, wait)| wait)
    }

    /// The places whose polls were slow on this runtime; see [`slow_polls`](crate::slow_polls).
    #[must_use]
    pub fn slow_polls(&self) -> Vec<SlowPoll> {
        of_polls(&self.core().slow_polls)
    }

    /// A report for people: what the runtime has, what its functions cost, slow polls, what was shed, refused
    /// or starved, and up to five recommendations, each with its evidence and the line to write.
    ///
    /// Cost: that of [`functions`](Self::functions) and [`slow_polls`](Self::slow_polls), and a sort. Print it
    /// at the end of a program, or on request.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().build()?;
    /// runtime.block_on(async { /* the program */ });
    /// let report = runtime.report();
    /// println!("{report}");
    /// assert_eq!(report.functions.len(), runtime.functions().len());
    /// assert!(report.recommendations.len() <= 5);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn report(&self) -> Report {
        Report::of(self.core(), &self.inner.config)
    }

    /// What this runtime has counted. With the feature `prometheus`, it can be registered in a
    /// Prometheus registry.
    #[must_use]
    pub fn prometheus_metrics(&self) -> &LoomMetrics {
        self.inner.metrics.get_or_init(|| {
            LoomMetrics::of(
                self.core(),
                #[cfg(feature = "prometheus")]
                &self.inner.config.prefix,
            )
        })
    }

    /// What calibration measured when this runtime started; `None` if there was no calibration.
    #[must_use]
    pub fn calibration(&self) -> Option<CalibrationResult> {
        self.inner.calibration.get().copied()
    }
}
