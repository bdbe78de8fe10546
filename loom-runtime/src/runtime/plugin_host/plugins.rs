//! All plug-ins of one runtime.

use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use crate::topology::os;

use crate::runtime::core::Core;

use super::handle::{PluginStats, stats};
use super::hosted::Hosted;

/// Tells the plug-ins of a runtime of its end when it is dropped.
pub(crate) struct Tells(Arc<Core>);

impl Tells {
    pub(crate) fn of(core: &Arc<Core>) -> Self {
        Self(Arc::clone(core))
    }
}

impl Drop for Tells {
    fn drop(&mut self) {
        if !os::is_forked() {
            self.0.plugins.leave();
        }
    }
}

/// The handles of one runtime that were given to plug-ins.
#[derive(Debug, Default)]
pub(crate) struct Plugins(Mutex<Vec<Weak<Hosted>>>);

impl Plugins {
    pub(super) fn add(&self, hosted: &Arc<Hosted>) {
        self.lock().push(Arc::downgrade(hosted));
    }

    /// Forgets those that are gone.
    pub(super) fn forget(&self) {
        self.lock().retain(|hosted| hosted.strong_count() > 0);
    }

    fn all(&self) -> Vec<Arc<Hosted>> {
        self.lock().iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn stats(&self) -> Vec<PluginStats> {
        self.all().iter().filter(|hosted| !hosted.is_closed()).map(|hosted| stats(hosted)).collect()
    }

    /// Tells all of them that the runtime has ended.
    pub(crate) fn leave(&self) {
        for hosted in self.all() {
            hosted.leave();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Hosted>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
