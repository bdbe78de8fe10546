//! What a room above keeps for one runtime, which is told of the end and read by exporters.

use std::any::Any;
#[cfg(feature = "prometheus")]
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Kept by a runtime for a room above.
pub(crate) trait Extension: Any + Debug + Send + Sync {
    /// The runtime has ended, and its tasks with it.
    fn end(&self);

    /// By name, what exporters show: work that has not ended, tasks spawned, compute calls that
    /// have not ended, those that have, and panics.
    #[cfg(feature = "prometheus")]
    fn figures(&self) -> BTreeMap<String, [u64; 5]>;
}
