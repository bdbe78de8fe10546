//! Names that programs for loom-rs have, and that have nothing to do here.
//!
//! Kept so that such programs compile; what they ask for is so by itself.

use super::builder::LoomBuilder;

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
