//! Settings, checked and turned into a runtime.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::{LoomError, Result};
use crate::topology::{ComputePriority, CoreBudget, Pin, Placement, Plan, Request};

use super::config::LoomConfig;
use super::handle::LoomRuntime;

/// More threads than any machine can use; a number above it is a mistake in the unit.
const THREADS: RangeInclusive<usize> = 1..=8192;
/// Leaves room for the role and number in a debugger's column.
const LONGEST_PREFIX: usize = 64;
const DEFAULT_PREFIX: &str = "loom";
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Builds a [`LoomRuntime`].
///
/// Every setting has a default that suits a service alone on its machine or in its
/// container: one I/O worker and one compute thread for each CPU the process may really
/// use, compute threads at idle priority so that they never delay I/O.
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
    prefix: Option<String>,
    tokio_threads: Option<usize>,
    rayon_threads: Option<usize>,
    placement: Placement,
    compute_priority: ComputePriority,
    pin: Pin,
    shutdown_timeout: Option<Duration>,
}

impl LoomBuilder {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first part of every thread's name; `loom` by default.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// How many I/O workers, 1 to 8192. By default one for each CPU of the budget, or one
    /// in all with [`Placement::Split`].
    pub fn tokio_threads(mut self, n: usize) -> Self {
        self.tokio_threads = Some(n);
        self
    }

    /// How many compute threads, 1 to 8192. By default one for each CPU of the budget, or
    /// one for each that I/O does not have with [`Placement::Split`].
    pub fn rayon_threads(mut self, n: usize) -> Self {
        self.rayon_threads = Some(n);
        self
    }

    /// How I/O and compute threads divide the CPUs; [`Placement::Shared`] by default.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// The scheduling class of compute threads; [`ComputePriority::Idle`] by default.
    ///
    /// Other processes of normal priority in the same control group starve an idle-class
    /// thread. Where Loom shares its CPUs with such neighbours, choose
    /// [`ComputePriority::Nice`] or [`ComputePriority::Normal`].
    pub fn compute_priority(mut self, priority: ComputePriority) -> Self {
        self.compute_priority = priority;
        self
    }

    /// Whether threads are bound to CPUs; [`Pin::Yes`] by default. Takes a `bool` too.
    pub fn pin(mut self, pin: impl Into<Pin>) -> Self {
        self.pin = pin.into();
        self
    }

    /// The same as [`pin`](Self::pin), for a `bool`.
    pub fn pin_threads(self, pin: bool) -> Self {
        self.pin(pin)
    }

    /// How long `#[loom::main]` waits for tracked work after its body has returned, and
    /// then for tokio's blocking threads; 5 s by default.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Some(timeout);
        self
    }

    /// Starts the threads and waits until each has taken its place.
    ///
    /// # Errors
    ///
    /// [`LoomError::InvalidSetting`] for a value out of bounds; the other variants where
    /// the system refuses compute threads or, with [`Pin::Required`], CPUs. What has been
    /// started ends by itself then.
    ///
    /// # Panics
    ///
    /// Where the system refuses an I/O thread: tokio panics then, and waits for those that
    /// it has started.
    pub fn build(self) -> Result<LoomRuntime> {
        self.check()?;
        let request = Request {
            io_threads: self.tokio_threads,
            compute_threads: self.rayon_threads,
            placement: self.placement,
            compute_priority: self.compute_priority,
            pin: self.pin,
        };
        let plan = Plan::new(CoreBudget::discover(), request);
        let config = LoomConfig {
            prefix: self.prefix.unwrap_or_else(|| DEFAULT_PREFIX.to_owned()),
            tokio_threads: plan.io.len(),
            rayon_threads: plan.compute.len(),
            placement: self.placement,
            compute_priority: self.compute_priority,
            pin: self.pin,
            shutdown_timeout: self.shutdown_timeout.unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT),
        };
        LoomRuntime::start(config, plan)
    }

    fn check(&self) -> Result<()> {
        check_threads("tokio_threads", self.tokio_threads)?;
        check_threads("rayon_threads", self.rayon_threads)?;
        self.prefix.as_deref().map_or(Ok(()), check_prefix)
    }
}

fn check_threads(setting: &'static str, n: Option<usize>) -> Result<()> {
    match n {
        Some(n) if !THREADS.contains(&n) => Err(LoomError::InvalidSetting {
            setting,
            value: n.to_string(),
            remedy: format!(
                "expected {} to {}: leave it out to get one for each CPU of the budget",
                THREADS.start(),
                THREADS.end()
            ),
        }),
        _ => Ok(()),
    }
}

fn check_prefix(prefix: &str) -> Result<()> {
    let remedy = if prefix.is_empty() {
        "expected a name for the threads: leave it out to get `loom`".to_owned()
    } else if prefix.len() > LONGEST_PREFIX {
        format!("expected at most {LONGEST_PREFIX} bytes, found {}", prefix.len())
    } else if prefix.chars().any(char::is_control) {
        "expected no control characters, since it becomes part of thread names".to_owned()
    } else {
        return Ok(());
    };
    Err(LoomError::InvalidSetting { setting: "prefix", value: format!("{prefix:?}"), remedy })
}
