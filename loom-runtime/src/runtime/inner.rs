//! The state that all handles of one runtime share and own.

#[cfg(any(feature = "fleet", feature = "signal"))]
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::LoomConfig;
use crate::core::{Core, Pools};
use crate::learned::ProfileFile;
use crate::local::LocalCores;
use crate::observe::LoomMetrics;
#[cfg(any(feature = "fleet", feature = "signal"))]
use crate::panics::ignore_panic;
use crate::scheduler::CalibrationResult;
use crate::sync::{Arc, OnceLock};
#[cfg(feature = "signal")]
use crate::sync::{Mutex, PoisonError};
use crate::threads::TokioSide;
use crate::time::Clock;
use crate::topology::{CpuSet, ThreadPlacement};

/// Owns the threads. Neither the threads nor their jobs own this struct.
pub(crate) struct Inner {
    pub(crate) core: Arc<Core>,
    pub(crate) config: LoomConfig,
    /// The I/O workers, if Loom started them.
    pub(crate) io: Vec<ThreadPlacement>,
    /// Dropped before `tokio`, which the cores' tasks may use.
    pub(crate) local: LocalCores,
    /// Created at the first use, and driven from then on.
    pub(crate) clock: OnceLock<Clock>,
    /// Tokio's time is paused.
    pub(crate) is_paused: bool,
    pub(crate) tokio_cpus: CpuSet,
    pub(crate) rayon_cpus: CpuSet,
    /// Cancelled when the runtime is to end; there is one once it was asked for.
    #[cfg(feature = "signal")]
    pub(crate) stop: Mutex<Option<CancellationToken>>,
    /// Cancelled when the runtime begins to end: from then on it takes no calls of others.
    #[cfg(feature = "fleet")]
    pub(crate) leaves_fleet: CancellationToken,
    /// Created at the first use.
    pub(crate) task_tracker: Arc<OnceLock<TaskTracker>>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) calibration: OnceLock<CalibrationResult>,
    /// Created at the first use.
    pub(crate) metrics: OnceLock<LoomMetrics>,
    pub(crate) tokio: TokioSide,
    /// The file for learned costs, if there is one.
    pub(crate) profile: Option<ProfileFile>,
    /// Dropped after `tokio`, whose tasks use data of plug-ins.
    #[cfg(feature = "plugin-host")]
    #[expect(dead_code, reason = "only its drop matters")]
    pub(crate) ends_extension: EndsExtension,
}

#[cfg(feature = "plugin-host")]
/// Notifies the extension of a runtime, when dropped, that the runtime has ended.
pub(crate) struct EndsExtension(Arc<Core>);

#[cfg(feature = "plugin-host")]
impl EndsExtension {
    pub(crate) fn of(core: &Arc<Core>) -> Self {
        Self(Arc::clone(core))
    }
}

#[cfg(feature = "plugin-host")]
impl Drop for EndsExtension {
    fn drop(&mut self) {
        self.0.end_extension();
    }
}

impl Inner {
    /// Cancels the token of [`LoomRuntime::shutdown_signal`](crate::LoomRuntime), and that of the fleet.
    #[cfg_attr(
        not(any(feature = "fleet", feature = "signal")),
        expect(clippy::unused_self, reason = "there is no token")
    )]
    pub(crate) fn stop_loops(&self) {
        #[cfg(feature = "fleet")]
        ignore_panic(|| self.leaves_fleet.cancel());
        #[cfg(feature = "signal")]
        {
            // Cloned, since the wakers that it calls may ask for the token.
            let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(stop) = stop {
                // It calls wakers of the program.
                ignore_panic(|| stop.cancel());
            }
        }
    }

    /// Takes the metrics out of the program's registries.
    #[cfg_attr(not(feature = "prometheus"), expect(clippy::unused_self, reason = "there is none"))]
    pub(crate) fn leave_registries(&self) {
        #[cfg(feature = "prometheus")]
        if let Some(metrics) = self.metrics.get() {
            metrics.leave_registries();
        }
    }

    /// Writes learned costs to the profile, if there is one, when the runtime ends.
    pub(crate) fn keep_profile(&self) {
        if let Some(profile) = &self.profile {
            profile.write(&self.core);
        }
    }
}
