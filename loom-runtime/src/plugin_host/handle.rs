//! Handles for plug-ins, and the statistics of each plug-in.

use loom_abi::{Report, RuntimeHandle};

use crate::boundary;
use crate::sync::Arc;

use crate::runtime::LoomRuntime;

use super::hosted::Hosted;
use super::plugins::Plugins;
use super::stats::PluginStats;

/// A runtime, as one plug-in may use it. Cheap to clone; all clones belong to the same plug-in.
///
/// It does not keep the runtime alive: once the runtime has ended, all requests of the plug-in are
/// refused. (A thread of the plug-in that waits in `block_on` keeps it alive until that wait ends.)
/// A host that unmaps a library by itself calls `loom::plugin::detach` in the library first; after
/// that the host calls no function of the library.
#[derive(Clone, Debug)]
pub struct PluginHandle {
    pub(super) hosted: Arc<Hosted>,
}

impl LoomRuntime {
    /// A handle for one plug-in. Metrics and the names of the plug-in's threads contain `name`.
    /// Each plug-in needs its own handle.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let handle = runtime.plugin_handle("thumbnails");
    /// // `handle.as_raw()` crosses the boundary, as an argument to a function of the plug-in,
    /// // which passes it to `loom::plugin::attach`.
    /// assert_eq!(handle.stats().name, "thumbnails");
    /// assert_eq!(runtime.plugins().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn plugin_handle(&self, name: &str) -> PluginHandle {
        PluginHandle { hosted: Hosted::new(self, name) }
    }

    /// The statistics of each plug-in that still has a handle.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginStats> {
        self.core().extension::<Plugins>().stats()
    }
}

impl PluginHandle {
    /// The handle in the form that crosses the boundary, borrowed from this one.
    #[must_use]
    pub fn as_raw(&self) -> RuntimeHandle<'_> {
        boundary::handle(&self.hosted)
    }

    /// The plug-in's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.hosted.name()
    }

    /// The plug-in's statistics.
    #[must_use]
    pub fn stats(&self) -> PluginStats {
        self.hosted.stats()
    }
}

/// Whether a handle was made by this library.
#[cfg(feature = "plugin")]
pub(crate) fn is_own(handle: RuntimeHandle<'_>) -> bool {
    std::ptr::eq(handle.table(), <Hosted as boundary::Host>::table())
}

/// Counts of what this library has made and other libraries hold, for all runtimes together: zero
/// after the last work of the last plug-in. Handles are not counted.
#[must_use]
pub fn live() -> Report {
    boundary::report()
}
