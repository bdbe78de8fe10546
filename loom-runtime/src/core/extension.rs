//! What a higher module keeps for one runtime. It learns of the runtime's end, and exporters read
//! it.

use std::any::Any;
#[cfg(feature = "prometheus")]
use std::collections::BTreeMap;
use std::fmt::Debug;

/// What a runtime keeps for a higher module.
pub(crate) trait Extension: Any + Debug + Send + Sync {
    /// The runtime has ended. Its tasks may still run where nobody waits for them, and beside a given
    /// tokio runtime.
    fn end(&self);

    /// The figures that exporters show, by plug-in name: work that has not ended, tasks spawned,
    /// compute calls that have not ended, compute calls that have ended, and panics.
    #[cfg(feature = "prometheus")]
    fn figures(&self) -> BTreeMap<String, [u64; 5]>;
}
