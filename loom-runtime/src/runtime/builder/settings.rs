//! The builder's methods, one for each setting.

use std::time::Duration;

#[cfg(doc)]
use crate::LoomRuntime;
use crate::config::{Bytes, Calls, Change, Cores, Given, Limit, Spares, TokioFlavor};
use crate::error::Source;
use crate::scheduler::{CalibrationConfig, MabKnobs};
use crate::topology::{ComputePriority, GlobalRayon, Pin, Placement};

use super::LoomBuilder;

fn in_code<T>(value: T) -> Given<T> {
    Given { value, source: Source::Code }
}

impl LoomBuilder {
    /// The first part of every thread's name; default `loom`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.code.prefix = Some(in_code(prefix.into()));
        self
    }

    /// The number of I/O workers, 1 to 8192. The default is one for each CPU of the budget that no
    /// local core uses, and at least one; with [`Placement::Split`], it is one.
    pub fn tokio_threads(mut self, n: usize) -> Self {
        self.code.tokio_threads = Some(in_code(n));
        self
    }

    /// The number of compute threads, 1 to 8192. The default is one for each CPU of the budget.
    /// With a priority other than idle, it leaves out the CPUs of local cores; with
    /// [`Placement::Split`], also the CPUs of I/O workers.
    pub fn rayon_threads(mut self, n: usize) -> Self {
        self.code.rayon_threads = Some(in_code(n));
        self
    }

    /// The number of local cores, 0 to 1024; default 0. A local core is a thread with its own tasks
    /// on one CPU. I/O workers do not use that CPU; compute threads of idle priority use it while
    /// it is free. Without pinning, or under a quota, a local core has no CPU of its own. If there
    /// are no more CPUs than local cores, I/O workers share these CPUs. See
    /// [`loom::local`](crate::local).
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

    /// The CPUs that the runtime may use, as a list such as `0-3,8`. The default is all CPUs that
    /// the process may use. CPUs that the process may not use are removed from the list; it is an
    /// error if none is left. The setting applies to the threads that Loom starts. It does not
    /// apply to a thread inside [`block_on`](LoomRuntime::block_on), such as the thread of `main`'s
    /// body.
    pub fn cpuset(mut self, cpus: impl Into<String>) -> Self {
        self.code.cpuset = Some(in_code(cpus.into()));
        self
    }

    /// How I/O and compute threads divide the CPUs; default [`Placement::Shared`].
    pub fn placement(mut self, placement: Placement) -> Self {
        self.code.placement = Some(in_code(placement));
        self
    }

    /// The scheduling class of compute threads; default [`ComputePriority::Auto`].
    ///
    /// Other processes of normal priority in the same control group starve threads of the idle
    /// class. With [`ComputePriority::Idle`], Loom counts that and says it once: see
    /// [`starvation_events`](LoomRuntime::starvation_events).
    pub fn compute_priority(mut self, priority: ComputePriority) -> Self {
        self.code.compute_priority = Some(in_code(priority));
        self
    }

    /// Whether threads are bound to CPUs; default [`Pin::Auto`]. Also accepts a `bool`.
    pub fn pin(mut self, pin: impl Into<Pin>) -> Self {
        self.code.pin = Some(in_code(pin.into()));
        self
    }

    /// [`pin`](Self::pin) for a `bool`.
    pub fn pin_threads(self, pin: bool) -> Self {
        self.pin(pin)
    }

    /// How rayon's global pool is built; default [`GlobalRayon::Plain`].
    pub fn global_rayon(mut self, pool: GlobalRayon) -> Self {
        self.code.global_rayon = Some(in_code(pool));
        self
    }

    /// The stack of each thread that the runtime starts, in bytes, 128 KiB to 4 GiB: I/O workers,
    /// blocking threads, compute threads and local cores. Files, variables and arguments may use a
    /// unit, such as `8MiB`. The default is that of the standard library: 2 MiB, or the variable
    /// `RUST_MIN_STACK` of the process. Memory is taken as a stack grows, not at the start.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// fn depth(n: u64) -> u64 {
    ///     if n == 0 { 0 } else { 1 + std::hint::black_box(depth(n - 1)) }
    /// }
    /// let runtime = loom::LoomBuilder::new().stack_size(64 << 20).build()?;
    /// assert_eq!(runtime.block_on(runtime.spawn_compute(|| depth(100_000))), 100_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.code.stack_size = Some(in_code(Bytes(bytes)));
        self
    }

    /// How many compute threads may wait at a time ([`block_on`](LoomRuntime::block_on),
    /// [`block_in_place`](crate::block_in_place)), 1 to 1024; default 512.
    ///
    /// A spare thread takes the place of each and runs compute calls meanwhile. It is started when
    /// it is needed, has the stack and the priority of a compute thread, and ends when it has had no
    /// work for ten seconds. One more thread that would have to wait panics with the reason.
    pub fn max_spares(mut self, threads: usize) -> Self {
        self.code.max_spares = Some(in_code(Spares(threads)));
        self
    }

    /// Which kind of tokio runtime drives async tasks; default [`TokioFlavor::MultiThread`].
    pub fn tokio_flavor(mut self, flavor: TokioFlavor) -> Self {
        self.code.tokio_flavor = Some(in_code(flavor));
        self
    }

    /// How many compute calls may wait for a thread before the `try_` forms refuse more, 1 to
    /// 16777216; default 4096. The other forms queue calls without a limit.
    pub fn compute_queue(mut self, calls: usize) -> Self {
        self.code.compute_queue = Some(in_code(Calls(calls)));
        self
    }

    /// From when on a poll of a task, an observed future or a request counts as slow, 10 µs to 1 h; default
    /// 1 ms. `None` watches no polls. [`observe`](crate::observe()) says what is counted.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().slow_poll(Duration::from_millis(5)).build()?;
    /// assert_eq!(runtime.config().slow_poll, Some(Duration::from_millis(5)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn slow_poll(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.code.slow_poll = Some(in_code(Limit(limit.into())));
        self
    }

    /// How long `#[loom::main]` waits, after its body has returned, for tracked work and then for
    /// tokio's blocking threads; default 5 s, at most 24 h.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.code.shutdown_timeout = Some(in_code(timeout));
        self
    }

    /// Whether time is paused, for tests. Paused time stands still while the runtime has work,
    /// including compute calls in flight. When it has none, time jumps to the next timer. Tokio's
    /// timers and [`clock`](LoomRuntime::clock) use paused time; `std::time` does not.
    ///
    /// Only work of this runtime stops the time. Compute work must not wait for paused time: the
    /// work itself stops it, so the wait would never end. Local cores, a multi-thread flavour and
    /// [`beside`](Self::beside) are errors with this setting. The I/O side is a current-thread
    /// runtime, and time advances only inside [`block_on`](LoomRuntime::block_on).
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

    /// Stores the learned costs of functions in a file. Loom reads the file when the runtime is
    /// built and writes it when the runtime ends, so that the next run decides its first calls by
    /// these costs.
    ///
    /// A cost from the file has the weight of a few measurements, and less with each new
    /// measurement. The file has one line for each annotated function that was measured at least
    /// four times, for each of its instances and classes of input size. Lines are sorted by name
    /// and have few digits, so that a diff is readable. A function that was not called keeps its
    /// line. Closures without a [name](crate::AdaptiveMap::name), and functions that share a name, have
    /// no line. Several runtimes may use one file. The directory has to exist; the file may be missing. [`build`](Self::build) fails if
    /// the file is not a profile. A relative path is relative to the working directory.
    ///
    /// A process that is killed, or that calls [`std::process::exit`], writes no profile: catch the
    /// signal, and let the body of `main` return.
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

    /// Sets all thresholds and weights of the scheduler. Files and the environment may set single ones
    /// (`mab_knobs.t_block_hard_us`, and so on), which count then.
    ///
    /// If a value is out of its bounds, [`build`](Self::build) fails and names it.
    pub fn mab_knobs(mut self, knobs: MabKnobs) -> Self {
        self.code.tuning.push(in_code(Change::Knobs(knobs)));
        self
    }

    /// Whether the overhead of the compute pool is measured when the runtime starts, so that the
    /// first decisions do not use an assumed value. Default false, since it takes some
    /// milliseconds, and up to a fifth of a second on a busy machine.
    pub fn calibrate(mut self, enabled: bool) -> Self {
        self.code.tuning.push(in_code(Change::Calibrate(enabled)));
        self
    }

    /// Sets whether the overhead of the compute pool is measured, and with how many calls. The keys
    /// in files and the environment are `calibration.enabled`, and so on.
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

/// Methods of loom-rs that need not do anything here, since Loom always behaves as they ask.
impl LoomBuilder {
    /// Has no effect. Loom recycles the blocks of compute calls whatever their type, and has as
    /// many blocks as the largest number of calls that were in flight at once.
    ///
    /// In loom-rs, this is the number of calls of one type that are kept ready.
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
