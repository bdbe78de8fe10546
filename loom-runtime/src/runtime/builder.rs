//! Settings, gathered from wherever they come and turned into a runtime.

use std::env;
#[cfg(feature = "config-files")]
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::{LoomError, Result};
use crate::scheduler::Arm;
use crate::topology::{ComputePriority, Pin, Placement, Plan, Request};

#[cfg(feature = "clap")]
use super::config::LoomArgs;
use super::config::{
    Calls, Cores, Given, LoomConfig, Settings, Source, TokioFlavor, budget, check_beside,
    check_flavor, from_environment, hold_time,
};
use super::handle::LoomRuntime;
use super::profile::ProfileFile;
use super::start::flavor_of;

const DEFAULT_PREFIX: &str = "loom";
/// A second of work for 40 threads at 10 ms a call.
pub(super) const DEFAULT_COMPUTE_QUEUE: usize = 4096;
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Builds a [`LoomRuntime`].
///
/// Every setting has a default that suits a service alone on its machine or in its
/// container: one I/O worker and one compute thread for each CPU the process may really
/// use, compute threads at idle priority so that they never delay I/O.
///
/// Settings may come from several places. Later wins, in whichever order the methods are
/// called: defaults, files in their order, environment, this builder, command line.
///
/// ```
/// # fn main() -> loom::Result<()> {
/// let runtime = loom::LoomBuilder::new()
///     .prefix("shop")
///     .tokio_threads(2)
///     .rayon_threads(2)
///     .build()?;
/// assert_eq!(runtime.block_on(runtime.spawn_compute(|| 6 * 7)), 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct LoomBuilder {
    defaults: Settings,
    #[cfg(feature = "config-files")]
    files: Vec<PathBuf>,
    env_prefix: Option<String>,
    pub(super) code: Settings,
    #[cfg(feature = "clap")]
    args: LoomArgs,
    host: Option<Handle>,
    #[cfg(feature = "prometheus")]
    pub(super) registry: Option<prometheus::Registry>,
    /// Where adaptive functions run, in a test that says so.
    pub(super) forced: Option<Arm>,
    /// Whether a test holds the time.
    #[cfg(feature = "test-util")]
    start_paused: bool,
}

pub(super) fn in_code<T>(value: T) -> Given<T> {
    Given { value, source: Source::Code }
}

fn of_host<T>(value: T) -> Given<T> {
    Given { value, source: Source::Host }
}

fn value<T: Clone>(given: Option<&Given<T>>) -> Option<T> {
    given.map(|given| given.value.clone())
}

impl LoomBuilder {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `builder` was told, as defaults.
    pub(crate) fn with_defaults(builder: Self) -> Self {
        Self { defaults: builder.code.into_defaults(), ..Self::default() }
    }

    /// Reads settings from a file in TOML, YAML or JSON, told by its extension, when
    /// [`build`](Self::build) is called. The keys stand at its top level. A relative path is
    /// taken from the working directory at that time. May be called again: later files win.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("loom-doc-{}.toml", std::process::id()));
    /// std::fs::write(&path, "rayon_threads = 3\nshutdown_timeout = \"30s\"")?;
    /// let runtime = loom::LoomBuilder::new().file(&path).build()?;
    /// assert_eq!(runtime.rayon_threads(), 3);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "config-files")]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Reads settings from environment variables when [`build`](Self::build) is called:
    /// with `MYAPP`, `tokio_threads` from `MYAPP_TOKIO_THREADS`, and so on.
    ///
    /// Case counts. Other variables below the prefix are the program's own and left alone;
    /// one that is a letter or two off a setting, such as `MYAPP_TOKIO_THREAD`, is an error.
    pub fn env_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.env_prefix = Some(prefix.into());
        self
    }

    /// Settings from the command line, which win over all others; a file that is named
    /// there wins over all but the other arguments.
    #[cfg(feature = "clap")]
    pub fn with_cli_args(mut self, args: &LoomArgs) -> Self {
        self.args = args.clone();
        self
    }

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
    /// 16777216; 4096 by default. The other forms stand in line however long it is.
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

    /// Whether time is held, for tests: it stands still while there is something to do, compute
    /// work in flight included, and jumps to the next timer when there is not. Tokio's timers and
    /// [`clock`](LoomRuntime::clock) have it in common; `std::time` goes on.
    ///
    /// Work of this runtime holds it, that of others does not. Compute work that waits for this
    /// time waits for ever, since its own being there keeps time from moving.
    /// Local cores, a multi-thread flavour and [`beside`](Self::beside) are errors with it.
    /// The I/O side is a current-thread runtime then, and its time moves inside
    /// [`block_on`](LoomRuntime::block_on).
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

    /// Builds the compute side alone, beside a tokio runtime that somebody else owns.
    ///
    /// Compute functions and free functions that are called on that runtime's threads use
    /// this one from then on; of several beside one runtime, the latest. Its workers are
    /// neither placed nor ended, so `pin`, `cpuset` and `placement` concern the compute
    /// threads alone; dropping the handles ends these. `tokio_threads` and `tokio_flavor`
    /// cannot be set then.
    ///
    /// ```
    /// #[tokio::main]
    /// async fn main() -> loom::Result<()> {
    ///     let host = tokio::runtime::Handle::current();
    ///     let runtime = loom::LoomBuilder::new().beside(host).rayon_threads(1).build()?;
    ///     let name = loom::spawn_compute(|| std::thread::current().name().map(str::to_owned));
    ///     assert_eq!(name.await.as_deref(), Some("loom-rayon-0000"));
    ///     assert_eq!(runtime.rayon_threads(), 1);
    ///     Ok(())
    /// }
    /// ```
    pub fn beside(mut self, host: Handle) -> Self {
        self.host = Some(host);
        self
    }

    /// Starts the threads and waits until each has taken its place.
    ///
    /// # Errors
    ///
    /// [`LoomError::InvalidSetting`], [`LoomError::UnknownSetting`] and
    /// [`LoomError::ConfigFile`] for what was set, with where; the other variants where the
    /// system refuses threads, what tokio needs, or, with [`Pin::Required`], CPUs. What has
    /// been started ends by itself then.
    pub fn build(self) -> Result<LoomRuntime> {
        let mut settings = self.settings()?;
        let is_paused = self.is_paused();
        if is_paused {
            hold_time(&mut settings, self.host.is_some())?;
        }
        if let Some(host) = &self.host {
            check_beside(&settings, host)?;
            settings.tokio_threads = Some(of_host(host.metrics().num_workers()));
            settings.tokio_flavor = Some(of_host(flavor_of(host)));
        } else {
            check_flavor(&settings)?;
        }
        let budget = budget(&settings)?;
        let flavor = value(settings.tokio_flavor.as_ref()).unwrap_or_default();
        let places_io = self.host.is_none() && flavor == TokioFlavor::MultiThread;
        let io_threads = value(settings.tokio_threads.as_ref());
        let request = Request {
            // Threads that are not placed need no seats; a split leaves them a core.
            io_threads: if places_io { io_threads } else { Some(1) },
            compute_threads: value(settings.rayon_threads.as_ref()),
            local_cores: value(settings.local_cores.as_ref()).map_or(0, |Cores(cores)| cores),
            placement: value(settings.placement.as_ref()).unwrap_or_default(),
            compute_priority: value(settings.compute_priority.as_ref()).unwrap_or_default(),
            pin: value(settings.pin.as_ref()).unwrap_or_default(),
        };
        let plan = Plan::new(budget, request);
        let tuning = settings.tuning()?;
        let profile = value(settings.profile.as_ref());
        let profile = profile.map(|path| ProfileFile::open(path.as_ref())).transpose()?;
        let config = LoomConfig {
            prefix: value(settings.prefix.as_ref()).unwrap_or_else(|| DEFAULT_PREFIX.to_owned()),
            tokio_threads: if places_io { plan.io.len() } else { io_threads.unwrap_or(1) },
            rayon_threads: plan.compute.len(),
            local_cores: plan.local.len(),
            cpuset: plan.budget.cpus.to_string(),
            pin: request.pin,
            placement: request.placement,
            compute_priority: request.compute_priority,
            tokio_flavor: flavor,
            compute_queue: value(settings.compute_queue.as_ref())
                .map_or(DEFAULT_COMPUTE_QUEUE, |Calls(calls)| calls),
            shutdown_timeout: value(settings.shutdown_timeout.as_ref())
                .unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT),
            profile: value(settings.profile.as_ref()),
            mab_knobs: tuning.knobs,
            calibration: tuning.calibration,
            sources: settings.sources(),
        };
        let runtime = LoomRuntime::start(config, plan, self.host, is_paused)?;
        if let Some(arm) = self.forced {
            // Nobody else has had it yet.
            let _ = runtime.core().forced.set(arm);
        }
        if let Some(profile) = profile {
            let _ = runtime.core().profile.set(profile);
        }
        #[cfg(feature = "prometheus")]
        runtime.register_with(self.registry.as_ref())?;
        Ok(runtime)
    }

    #[cfg(feature = "test-util")]
    fn is_paused(&self) -> bool {
        self.start_paused
    }

    #[cfg(not(feature = "test-util"))]
    #[expect(clippy::unused_self, reason = "the other form looks at it")]
    fn is_paused(&self) -> bool {
        false
    }

    /// All sources as one, later ones winning.
    fn settings(&self) -> Result<Settings> {
        let mut settings = self.defaults.clone();
        // Each on its own: a bad value is one although a later source does not want it.
        let mut merge = |later: Settings| {
            later.check()?;
            settings.merge(later);
            Ok::<_, LoomError>(())
        };
        #[cfg(feature = "config-files")]
        for file in &self.files {
            merge(super::config::from_file(file)?)?;
        }
        if let Some(prefix) = &self.env_prefix {
            merge(from_environment(prefix, env::vars_os())?)?;
        }
        merge(self.code.clone())?;
        #[cfg(feature = "clap")]
        {
            #[cfg(feature = "config-files")]
            if let Some(file) = &self.args.loom_config {
                merge(super::config::from_file(file)?)?;
            }
            merge(self.args.settings()?)?;
        }
        Ok(settings)
    }
}
