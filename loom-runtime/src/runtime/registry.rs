//! Registers a runtime's metrics in a Prometheus registry that the builder was given.

use prometheus::Registry;

use crate::error::{LoomError, Result, Source};
use crate::metrics::prefix;

use super::builder::LoomBuilder;
use super::handle::LoomRuntime;

impl LoomBuilder {
    /// Registers the runtime's metrics when it is built, as
    /// [`LoomMetrics::register`](crate::LoomMetrics::register) does. [`build`](Self::build) fails
    /// if the registry already has metrics with these names.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// let registry = prometheus::Registry::new();
    /// let runtime = loom::LoomBuilder::new().prometheus_registry(registry.clone()).build()?;
    /// assert!(registry.gather().iter().any(|family| family.name() == "loom_spawns_total"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn prometheus_registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }
}

impl LoomRuntime {
    pub(super) fn register_with(&self, registry: Option<&Registry>) -> Result<()> {
        let registered = registry.map(|registry| self.prometheus_metrics().register(registry));
        registered.unwrap_or(Ok(())).map_err(|error| LoomError::InvalidSetting {
            setting: "prometheus_registry",
            value: format!("one that refuses metrics named `{}_…`", prefix(&self.config().prefix)),
            source_of_value: Source::Code,
            remedy: format!(
                "the registry says: {error}; give each runtime of a process a `prefix` or a \
                 registry of its own"
            ),
        })
    }
}
