//! The compute pools of a runtime: one that starts with it, and one of normal priority.
//!
//! A thread of the idle class cannot leave that class without a privilege. So where other programs
//! take all CPU time, compute work goes on in a second pool, which is started when that happens
//! first. Both pools live until the runtime ends; a pool without work only costs memory.

use rayon::ThreadPool;

use crate::bridge::Generation;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, OnceLock};
use crate::topology::ThreadPlacement;

use super::spares::Spares;

/// Which of a runtime's compute pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    First,
    Second,
}

impl Which {
    /// The pool of a generation of drainers.
    pub(crate) fn of(generation: Generation) -> Self {
        if generation.is_of_first_pool() { Self::First } else { Self::Second }
    }
}

/// The runtime owns this. The pools' threads and the core have no strong reference to it.
#[derive(Debug)]
pub(crate) struct Pools {
    first: ThreadPool,
    second: OnceLock<ThreadPool>,
    uses_second: AtomicBool,
    /// The first part of the threads' names.
    pub(crate) prefix: String,
    /// They end with the pools.
    spares: Arc<Spares>,
}

impl Pools {
    pub(crate) fn new(first: ThreadPool, prefix: &str, spares: &Arc<Spares>) -> Self {
        Self {
            first,
            second: OnceLock::new(),
            uses_second: AtomicBool::new(false),
            prefix: prefix.to_owned(),
            spares: Arc::clone(spares),
        }
    }

    /// The pool that runs new work.
    pub(crate) fn current(&self) -> &ThreadPool {
        self.get(self.current_which())
    }

    fn current_which(&self) -> Which {
        if self.uses_second() && self.has_second() { Which::Second } else { Which::First }
    }

    pub(crate) fn get(&self, which: Which) -> &ThreadPool {
        match which {
            Which::First => &self.first,
            // It was set before the first generation that uses it began. The wait is for this
            // thread to see it.
            Which::Second => self.second.wait(),
        }
    }

    pub(crate) fn uses_second(&self) -> bool {
        // Relaxed: a hint for work that either pool may run.
        self.uses_second.load(Ordering::Relaxed)
    }

    /// Says which pool runs new work from now on.
    pub(crate) fn use_second(&self, uses_second: bool) {
        self.uses_second.store(uses_second, Ordering::Relaxed);
    }

    pub(crate) fn has_second(&self) -> bool {
        self.second.get().is_some()
    }

    /// Adds the second pool. Only the keeper does so, and once.
    pub(crate) fn set_second(&self, pool: ThreadPool) {
        let _ = self.second.set(pool);
    }

    /// The pool of the calling thread, or else the one that runs new work.
    pub(crate) fn nearest(&self) -> Which {
        self.of_this_thread().unwrap_or_else(|| self.current_which())
    }

    /// The pool of the calling thread, if it is a thread of either.
    pub(crate) fn of_this_thread(&self) -> Option<Which> {
        let is_in = |pool: &ThreadPool| pool.current_thread_index().is_some();
        if is_in(&self.first) {
            Some(Which::First)
        } else {
            self.second.get().is_some_and(is_in).then_some(Which::Second)
        }
    }
}

impl Drop for Pools {
    fn drop(&mut self) {
        self.spares.end();
    }
}

/// The placements that the threads of both pools have reported.
#[derive(Debug, Default)]
pub(crate) struct ComputePlacements {
    first: OnceLock<Vec<ThreadPlacement>>,
    second: OnceLock<Vec<ThreadPlacement>>,
}

impl ComputePlacements {
    /// Each pool's are set once, by the code that starts the pool.
    pub(crate) fn set_first(&self, placements: Vec<ThreadPlacement>) {
        let _ = self.first.set(placements);
    }

    pub(crate) fn set_second(&self, placements: Vec<ThreadPlacement>) {
        let _ = self.second.set(placements);
    }

    pub(crate) fn first(&self) -> &[ThreadPlacement] {
        self.first.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn second(&self) -> &[ThreadPlacement] {
        self.second.get().map_or(&[], Vec::as_slice)
    }

    /// Those of the first pool, then those of the second.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ThreadPlacement> {
        self.first().iter().chain(self.second())
    }
}
