//! The plug-ins of one runtime.

#[cfg(feature = "prometheus")]
use std::collections::BTreeMap;

use crate::core::Extension;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::hosted::Hosted;
use super::stats::PluginStats;

/// The handles of one runtime that were given to plug-ins.
#[derive(Debug, Default)]
pub(crate) struct Plugins(Mutex<Vec<Weak<Hosted>>>);

impl Plugins {
    pub(super) fn add(&self, hosted: &Arc<Hosted>) {
        self.lock().push(Arc::downgrade(hosted));
    }

    /// Removes handles that were dropped.
    pub(super) fn forget(&self) {
        self.lock().retain(|hosted| hosted.strong_count() > 0);
    }

    fn all(&self) -> Vec<Arc<Hosted>> {
        self.lock().iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn stats(&self) -> Vec<PluginStats> {
        self.all()
            .iter()
            .filter(|hosted| !hosted.is_closed())
            .map(|hosted| hosted.stats())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Hosted>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Extension for Plugins {
    fn end(&self) {
        for hosted in self.all() {
            hosted.leave();
        }
    }

    /// Sums over all handles of the same name.
    #[cfg(feature = "prometheus")]
    fn figures(&self) -> BTreeMap<String, [u64; 5]> {
        let mut plugins: BTreeMap<String, [u64; 5]> = BTreeMap::new();
        for stats in self.stats() {
            let figures = [
                stats.tasks as u64,
                stats.spawned,
                stats.compute_calls as u64,
                stats.computed,
                stats.panicked,
            ];
            let all = plugins.entry(stats.name).or_default();
            all.iter_mut().zip(figures).for_each(|(all, figure)| *all += figure);
        }
        plugins
    }
}
