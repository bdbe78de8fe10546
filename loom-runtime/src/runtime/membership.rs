//! The membership of a runtime in a fleet.

use std::error::Error;
use std::fmt::Debug;

use tokio_util::sync::CancellationToken;

use crate::config::FleetSettings;
use crate::core::Transport;
use crate::error::{LoomError, Result};
use crate::sync::Arc;

use super::handle::LoomRuntime;

/// The membership of a runtime in a fleet, for [`LoomBuilder::fleet`](crate::LoomBuilder::fleet).
pub trait Membership: Debug + Send + Sync {
    /// What the program says of its fleet. Files, the environment and arguments overrule it.
    fn settings(&self) -> FleetSettings {
        FleetSettings::default()
    }

    /// Joins the fleet with a runtime that was just built: starts to serve, if it does, and returns the way
    /// by which the runtime's calls go, if they do. What all sources say of the fleet is in
    /// [`runtime.config().fleet`](crate::LoomConfig::fleet). `leaves` is cancelled when the runtime begins to end:
    /// from then on it takes no calls of others.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings. A server that is away is no error: calls stay here until it comes.
    fn join(
        &self,
        runtime: &LoomRuntime,
        leaves: CancellationToken,
    ) -> std::result::Result<Option<Arc<dyn Transport>>, Box<dyn Error + Send + Sync>>;
}

impl LoomRuntime {
    /// Joins the fleet that the builder names.
    pub(super) fn join(&self, membership: &dyn Membership) -> Result<()> {
        if let Some(transport) =
            membership.join(self, self.inner.leaves_fleet.clone()).map_err(LoomError::Fleet)?
        {
            // No other code has a handle to the runtime yet.
            let _ = self.core().transport.set(transport);
        }
        Ok(())
    }
}
