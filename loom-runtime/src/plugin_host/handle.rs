//! Handles, and what they say of their plug-in.

use loom_abi::{Report, RuntimeHandle};

use crate::boundary;
use crate::sync::Arc;

use crate::runtime::LoomRuntime;

use super::hosted::Hosted;
use super::plugins::Plugins;
use super::stats::PluginStats;

/// A runtime as a plug-in may have it. Cheap to clone; all clones are one plug-in's.
///
/// It keeps no runtime alive: once that has ended, all that a plug-in asks for is refused. (A
/// thread of the plug-in's that waits in `block_on` does, until that ends.) A host that unmaps a
/// library by itself has that detach first (`loom::plugin::detach`), after which nothing of the
/// library is called from here.
#[derive(Clone, Debug)]
pub struct PluginHandle {
    pub(super) hosted: Arc<Hosted>,
}

impl LoomRuntime {
    /// A handle for one plug-in, by which that is called in the metrics and in the names of its
    /// threads. Each plug-in needs its own.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let handle = runtime.plugin_handle("thumbnails");
    /// // Across the boundary goes `handle.as_raw()`, as an argument of a function of the
    /// // plug-in's; over there it is for `loom::plugin::attach`.
    /// assert_eq!(handle.stats().name, "thumbnails");
    /// assert_eq!(runtime.plugins().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn plugin_handle(&self, name: &str) -> PluginHandle {
        PluginHandle { hosted: Hosted::new(self, name) }
    }

    /// What each plug-in has and did, of those that still have a handle.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginStats> {
        self.core().extension::<Plugins>().stats()
    }
}

impl PluginHandle {
    /// The handle as it crosses the boundary, lent.
    #[must_use]
    pub fn as_raw(&self) -> RuntimeHandle<'_> {
        boundary::handle(&self.hosted)
    }

    /// What the plug-in is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.hosted.name()
    }

    /// What the plug-in has and did.
    #[must_use]
    pub fn stats(&self) -> PluginStats {
        self.hosted.stats()
    }
}

/// Whether a handle is one of this library's.
#[cfg(feature = "plugin")]
pub(crate) fn is_own(handle: RuntimeHandle<'_>) -> bool {
    std::ptr::eq(handle.table(), boundary::table::<Hosted>())
}

/// What this library has made and other libraries hold, all runtimes together: after the last
/// work of the last plug-in there is nothing. Handles are not among it.
#[must_use]
pub fn live() -> Report {
    boundary::report()
}
