//! The tokio runtime as a part that may be dropped on any thread.

use std::time::Duration;

use tokio::runtime::{Handle, Runtime};

use crate::sync::OnceLock;

pub(crate) struct TokioSide {
    /// `None` only within `drop`.
    runtime: Option<Runtime>,
    /// How long `drop` waits for blocking functions; without it, until they end.
    limit: OnceLock<Duration>,
}

impl TokioSide {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self { runtime: Some(runtime), limit: OnceLock::new() }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken in `drop` alone, when no borrow is left")
    }

    /// Bounds the wait for blocking functions at the end; the first bound stays.
    pub(crate) fn wait_at_most(&self, limit: Duration) {
        self.limit.get_or_init(|| limit);
    }
}

impl Drop for TokioSide {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // Tokio panics when a thread that drives async code waits here, and a compute
        // thread has others waiting for it; both have entered a tokio runtime.
        let may_block = Handle::try_current().is_err();
        match self.limit.get() {
            _ if !may_block => runtime.shutdown_background(),
            Some(limit) => runtime.shutdown_timeout(*limit),
            None => drop(runtime),
        }
    }
}
