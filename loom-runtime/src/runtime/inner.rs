//! What all handles of one runtime share, and own.

use rayon::ThreadPool;
use tokio_util::task::TaskTracker;

use crate::config::LoomConfig;
use crate::core::Core;
use crate::learned::ProfileFile;
use crate::local::LocalCores;
use crate::observe::LoomMetrics;
use crate::scheduler::CalibrationResult;
use crate::sync::{Arc, OnceLock};
use crate::threads::TokioSide;
use crate::time::Clock;
use crate::topology::{CpuSet, ThreadPlacement};

/// Owns the threads. Neither they nor their jobs own it.
pub(crate) struct Inner {
    pub(crate) core: Arc<Core>,
    pub(crate) config: LoomConfig,
    /// The I/O workers, where Loom started them.
    pub(crate) io: Vec<ThreadPlacement>,
    /// Before tokio ends, which their tasks may use.
    pub(crate) local: LocalCores,
    /// Driven from its first use on.
    pub(crate) clock: OnceLock<Clock>,
    /// Tokio's time is held.
    pub(crate) is_paused: bool,
    pub(crate) tokio_cpus: CpuSet,
    pub(crate) rayon_cpus: CpuSet,
    /// Made at first use.
    pub(crate) task_tracker: OnceLock<TaskTracker>,
    pub(crate) pool: Arc<ThreadPool>,
    pub(crate) calibration: OnceLock<CalibrationResult>,
    /// Made at first use.
    pub(crate) metrics: OnceLock<LoomMetrics>,
    pub(crate) tokio: TokioSide,
    /// Where what is learned is kept, if anywhere.
    pub(crate) profile: Option<ProfileFile>,
    /// After tokio, whose tasks use what plug-ins have.
    #[cfg(feature = "plugin-host")]
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub(crate) ends_extension: EndsExtension,
}

#[cfg(feature = "plugin-host")]
/// Tells the extension of a runtime that the runtime has ended, when it is dropped.
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
    /// Writes down what was learned, where there is a place for it, at the end.
    pub(crate) fn keep_profile(&self) {
        if let Some(profile) = &self.profile {
            profile.write(&self.core);
        }
    }
}
