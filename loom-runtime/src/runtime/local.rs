//! The local cores of a runtime, as its users ask for them.

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

    /// A local core, by number from 0 on.
    ///
    /// # Panics
    ///
    /// If there is none of that number.
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

    /// The local core of a key: different keys are spread over all of them, and equal keys have the
    /// same one, in each run of one build with as many cores; not across versions of Rust, whose
    /// default hash it is.
    ///
    /// # Panics
    ///
    /// If there are no local cores.
    #[must_use]
    #[track_caller]
    pub fn local_for<K: Hash + ?Sized>(&self, key: &K) -> LocalCore {
        let cores = self.local_cores();
        assert!(cores > 0, "the runtime has no local cores (see `LoomBuilder::local_cores`)");
        // Of fixed keys, so that it is the same in each run of the program.
        let hash =
            std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(key);
        // Less than the number of cores.
        self.local(usize::try_from(hash % cores as u64).unwrap_or_default())
    }
}
