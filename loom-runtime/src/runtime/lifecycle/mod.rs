//! The end of a runtime: who may still start work, and who waits for the last of it.
//!
//! Owns the phase, the count of admitted work, and the list of those who wait; the
//! protocol is in `README.md`. It ends no thread: that is for whoever owns them.

mod word;

#[cfg(all(test, loom_model))]
mod model;
#[cfg(all(test, not(loom_model)))]
mod stress;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::sync::Arc;
use crate::topology::os;

pub(crate) use word::Lifecycle;
use word::Place;

use super::core::Core;

/// Why work is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    ShutDown,
    Forked,
    NoPool,
    /// So many wait already.
    QueueFull(usize),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::QueueFull(limit) => {
                return write!(
                    f,
                    "{limit} compute calls wait already: try later, shed load, or raise \
                     `compute_queue`"
                );
            }
            Self::ShutDown => {
                "the runtime has been shut down: it takes no new work once `block_until_idle`, \
                 `wait_for_shutdown`, `shutdown_timeout` or `shutdown_background` has ended it, \
                 or its last handle is gone; finish the work before, or keep the runtime until \
                 it has ended"
            }
            Self::Forked => {
                "this process was forked, and the threads of its runtimes stayed in the parent, \
                 with the locks that they held: `exec` a program, or fork before the first \
                 runtime is built"
            }
            Self::NoPool => {
                "the system refused every compute thread: raise the limit on threads \
                 (`ulimit -u`), or build a `LoomRuntime` with fewer `rayon_threads`"
            }
        })
    }
}

/// Work that was admitted; it has ended when this is dropped.
pub(crate) struct Admitted {
    /// Let go of last, after the count (L4).
    core: Arc<Core>,
    /// Whoever owns the runtime was told, and is told of its end.
    is_told: bool,
}

impl Admitted {
    /// Counts work in, or says why not.
    pub(crate) fn to(core: &Arc<Core>) -> Result<Self, Refusal> {
        let mut admitted = Self::here(core)?;
        core.owner.begin()?;
        admitted.is_told = true;
        Ok(admitted)
    }

    /// The same of what the owner of the runtime sees by himself.
    pub(crate) fn here(core: &Arc<Core>) -> Result<Self, Refusal> {
        if os::is_forked() {
            return Err(Refusal::Forked);
        }
        if !core.lifecycle.admit() {
            return Err(Refusal::ShutDown);
        }
        Ok(Self { core: Arc::clone(core), is_told: false })
    }

    /// The same for those who promise to panic where work is refused.
    #[track_caller]
    pub(crate) fn or_panic(core: &Arc<Core>) -> Self {
        match Self::to(core) {
            Ok(admitted) => admitted,
            Err(refusal) => panic!("{refusal}"),
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.is_told {
            self.core.owner.end();
        }
        self.core.lifecycle.end_one();
    }
}

/// Completes when the end has begun and no work is left; nothing is admitted from then on.
pub(crate) struct Over {
    core: Arc<Core>,
    place: Place,
}

impl Over {
    pub(crate) fn of(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), place: Place::default() }
    }
}

impl Future for Over {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { core, place } = &mut *self;
        core.lifecycle.poll_over(place, cx)
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.core.lifecycle.forget(&mut self.place);
    }
}
