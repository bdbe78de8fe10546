//! The Prometheus registries that have a runtime's metrics.

use prometheus::Registry;

use crate::sync::{Arc, Mutex, PoisonError};

/// The registries in which a runtime's metrics are, until the runtime ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Registries(Arc<Mutex<Vec<Registry>>>);

impl Registries {
    pub(super) fn add(&self, registry: &Registry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(registry.clone());
    }

    pub(super) fn take(&self) -> Vec<Registry> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
