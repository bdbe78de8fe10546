//! A method for each setting.

use std::time::Duration;

#[cfg(doc)]
use crate::LoomRuntime;
use crate::config::{Calls, Change, Cores, Given, TokioFlavor};
use crate::error::Source;
use crate::scheduler::{CalibrationConfig, MabKnobs};
use crate::topology::{ComputePriority, Pin, Placement};

use super::LoomBuilder;

fn in_code<T>(value: T) -> Given<T> {
    Given { value, source: Source::Code }
}

impl LoomBuilder {
    /// The first part of every thread's name; `loom` by default.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.code.prefix = Some(in_code(prefix.into()));
        self
    }

    /// How many I/O workers, 1 to 8192. By default one for each CPU of the budget that local cores
    /// leave, at least one, or one in all with [`Placement::Split`].
    pub fn tokio_threads(mut self, n: usize) -> Self {
        self.code.tokio_threads = Some(in_code(n));
        self
    }

    /// How many compute threads, 1 to 8192. By default one for each CPU of the budget; with
    /// [`Placement::Split`], or a priority other than idle, one for each that is left.
    pub fn rayon_threads(mut self, n: usize) -> Self {
        self.code.rayon_threads = Some(in_code(n));
        self
    }

    /// How many local cores, 0 to 1024; none by default. Each is a thread with tasks of its own, on
    /// one CPU that I/O workers keep off; compute threads of idle priority use it while it is free.
    /// Without pinning, or under a quota, it has no CPU of its own, and where there are no more
    /// CPUs than cores, I/O workers share theirs. See [`loom::local`](crate::local).
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().local_cores(1).build()?;
    /// let task = runtime.local(0).spawn_with(|| async {
    ///     let own = Rc::new(7);
    ///     tokio::task::yield_now().await;
    ///     *own
    /// });
    /// assert_eq!(runtime.block_on(task).ok(), Some(7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn local_cores(mut self, n: usize) -> Self {
        self.code.local_cores = Some(in_code(Cores(n)));
        self
    }

    /// The CPUs to keep to, as a list such as `0-3,8`; those that the process may not use
    /// are left out of it, and it is an error if none is left. By default all that it may
    /// use. It concerns the threads that Loom starts, not the one inside
    /// [`block_on`](LoomRuntime::block_on), which is the body of `main`.
    pub fn cpuset(mut self, cpus: impl Into<String>) -> Self {
        self.code.cpuset = Some(in_code(cpus.into()));
        self
    }

    /// How I/O and compute threads divide the CPUs; [`Placement::Shared`] by default.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.code.placement = Some(in_code(placement));
        self
    }

    /// The scheduling class of compute threads; [`ComputePriority::Idle`] by default.
    ///
    /// Other processes of normal priority in the same control group starve an idle-class
    /// thread. Where Loom shares its CPUs with such neighbours, choose
    /// [`ComputePriority::Nice`] or [`ComputePriority::Normal`]. Starving threads are
    /// noticed: see [`starvation_events`](LoomRuntime::starvation_events).
    pub fn compute_priority(mut self, priority: ComputePriority) -> Self {
        self.code.compute_priority = Some(in_code(priority));
        self
    }

    /// Whether threads are bound to CPUs; [`Pin::Yes`] by default. Takes a `bool` too.
    pub fn pin(mut self, pin: impl Into<Pin>) -> Self {
        self.code.pin = Some(in_code(pin.into()));
        self
    }

    /// The same as [`pin`](Self::pin), for a `bool`.
    pub fn pin_threads(self, pin: bool) -> Self {
        self.pin(pin)
    }

    /// Which of tokio's runtimes drives async tasks; [`TokioFlavor::MultiThread`] by
    /// default.
    pub fn tokio_flavor(mut self, flavor: TokioFlavor) -> Self {
        self.code.tokio_flavor = Some(in_code(flavor));
        self
    }

    /// How many compute calls may wait for a thread before the `try_` forms refuse more, 1 to
    /// 16777216; 4096 by default. The other forms queue without a limit.
    pub fn compute_queue(mut self, calls: usize) -> Self {
        self.code.compute_queue = Some(in_code(Calls(calls)));
        self
    }

    /// How long `#[loom::main]` waits for tracked work after its body has returned, and
    /// then for tokio's blocking threads; 5 s by default, 24 h at most.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.code.shutdown_timeout = Some(in_code(timeout));
        self
    }

    /// Whether time is paused, for tests: it stands still while there is something to do, compute
    /// work in flight included, and jumps to the next timer when there is not. Tokio's timers and
    /// [`clock`](LoomRuntime::clock) use it; `std::time` goes on.
    ///
    /// Only work of this runtime holds the time. Compute work that waits for this time waits
    /// without end, since it keeps time from moving itself. Local cores, a multi-thread flavour and
    /// [`beside`](Self::beside) are errors with it. The I/O side is a current-thread runtime then,
    /// and its time moves inside [`block_on`](LoomRuntime::block_on).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().start_paused(true).build()?;
    /// runtime.block_on(async {
    ///     let hour = Duration::from_secs(3600);
    ///     let never = std::future::pending::<()>();
    ///     assert!(tokio::time::timeout(hour, never).await.is_err());
    ///     let work = loom::spawn_compute(|| (1..=1000_u64).sum::<u64>());
    ///     assert_eq!(tokio::time::timeout(hour, work).await.ok(), Some(500_500));
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "test-util")]
    pub fn start_paused(mut self, is_paused: bool) -> Self {
        self.start_paused = is_paused;
        self
    }

    /// Keeps learned costs of functions in a file: read when the runtime is built, and written when
    /// it ends, so that the first calls of the next run are decided by them.
    ///
    /// A cost that was read counts as much as a few measurements, and less with each new one. The
    /// file has a line for each annotated function that was measured at least four times, for each
    /// of its instances and classes of input size. Lines are in the order of names and have few
    /// digits, so that a diff can be read. A function that was not called keeps its line. Closures
    /// have no line, nor have functions that share a name. Several runtimes may use one file. The
    /// folder has to exist, the file need not; a file that is not a profile makes
    /// [`build`](Self::build) fail. A relative path is taken from the working directory.
    ///
    /// A process that is ended from outside, or by [`std::process::exit`], writes nothing: catch
    /// the signal, and let the body of `main` return.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("loom-profile-{}", std::process::id()));
    /// #[loom::compute]
    /// fn next(n: u32) -> u32 {
    ///     n + 1
    /// }
    ///
    /// let path = path.display().to_string();
    /// let runtime = loom::LoomBuilder::new().profile(&path).build()?;
    /// runtime.block_on(async {
    ///     for n in 0..100 {
    ///         next(n).await;
    ///     }
    /// });
    /// runtime.shutdown_background();
    /// assert!(std::fs::read_to_string(&path)?.contains("::next | "));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn profile(mut self, path: impl Into<String>) -> Self {
        self.code.profile = Some(in_code(path.into()));
        self
    }

    /// Thresholds and weights of the scheduler, all of them, in place of what files and the
    /// environment say of single ones (`mab_knobs.t_block_hard_us`, and so on).
    ///
    /// [`build`](Self::build) fails where one is out of its bounds, and says which.
    pub fn mab_knobs(mut self, knobs: MabKnobs) -> Self {
        self.code.tuning.push(in_code(Change::Knobs(knobs)));
        self
    }

    /// Whether the way to the compute pool is measured when the runtime starts, so that first
    /// decisions rest on more than a guess; false by default, since it takes some milliseconds,
    /// and up to a fifth of a second on a busy machine.
    pub fn calibrate(mut self, enabled: bool) -> Self {
        self.code.tuning.push(in_code(Change::Calibrate(enabled)));
        self
    }

    /// The same, and with how many calls. In files and the environment: `calibration.enabled`,
    /// and so on.
    ///
    /// ```
    /// use loom::mab::CalibrationConfig;
    /// let few = CalibrationConfig::new().enabled().warmup_iterations(10).sample_count(100);
    /// let runtime = loom::LoomBuilder::new().calibration_config(few).build()?;
    /// assert!(runtime.calibration().is_some_and(|measured| measured.p99_us >= measured.p50_us));
    /// # Ok::<(), loom::LoomError>(())
    /// ```
    pub fn calibration_config(mut self, config: CalibrationConfig) -> Self {
        self.code.tuning.push(in_code(Change::Calibration(config)));
        self
    }
}

/// Names that programs for loom-rs have, and that have nothing to do here: what they ask for is so
/// by itself.
impl LoomBuilder {
    /// Does nothing: blocks for compute calls are recycled, whatever their type, and there are as
    /// many as calls that were ever in flight at once.
    ///
    /// In loom-rs it is the number of calls of one type that are kept ready.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().compute_pool_size(128).build()?;
    /// assert_eq!(runtime.block_on(runtime.spawn_compute(|| 7)), 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn compute_pool_size(self, _size: usize) -> Self {
        self
    }
}
