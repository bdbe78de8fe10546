//! The methods of a runtime that return its local cores.

use std::hash::{BuildHasher, Hash};

use crate::local::LocalCore;

use super::handle::LoomRuntime;

impl LoomRuntime {
    /// How many local cores there are; see
    /// [`LoomBuilder::local_cores`](crate::LoomBuilder::local_cores).
    #[must_use]
    pub fn local_cores(&self) -> usize {
        self.inner.local.all().len()
    }

    /// The local core with a number; numbers start at 0.
    ///
    /// # Panics
    ///
    /// If there is no local core with that number.
    #[must_use]
    #[track_caller]
    pub fn local(&self, index: usize) -> LocalCore {
        let all = self.inner.local.all();
        let Some(core) = all.get(index) else {
            panic!(
                "there is no local core {index}: the runtime has {} (see \
                 `LoomBuilder::local_cores`)",
                all.len()
            );
        };
        core.clone()
    }

    /// The local core for a key. Different keys are spread over all local cores, and equal keys
    /// get the same core.
    ///
    /// The result is the same in each run of one build with the same number of cores. It may differ
    /// between versions of Rust, since it uses Rust's default hash.
    ///
    /// # Panics
    ///
    /// If there are no local cores.
    #[must_use]
    #[track_caller]
    pub fn local_for<K: Hash + ?Sized>(&self, key: &K) -> LocalCore {
        let cores = self.local_cores();
        assert!(cores > 0, "the runtime has no local cores (see `LoomBuilder::local_cores`)");
        // This hasher has fixed keys, so the hash is the same in each run of the program.
        let hash =
            std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(key);
        // The remainder is less than the number of cores, so it fits.
        self.local(usize::try_from(hash % cores as u64).unwrap_or_default())
    }
}
