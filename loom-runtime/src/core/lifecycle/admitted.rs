//! Work that a runtime has admitted, and the wait until all of it has ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::core::{Core, OfPlace, SlowPolls};
use crate::sync::Arc;
use crate::topology::os;

use super::refusal::Refusal;
use super::word::Waiter;

/// The token of admitted work; the work has ended when this is dropped.
pub(crate) struct Admitted {
    /// Released last, after the count (L4).
    core: Arc<Core>,
    /// The owner of the runtime counts this work too, and has to learn of its end.
    owner_counts: bool,
    /// The place of a task's polls. It stands here since a field of its own would make each task larger, and
    /// the allocation of small ones twice as large.
    place: u32,
}

/// No place has it.
const NOWHERE: u32 = u32::MAX;

impl Admitted {
    /// Admits work, or returns why it is refused.
    pub(crate) fn to(core: &Arc<Core>) -> Result<Self, Refusal> {
        let mut admitted = Self::here(core)?;
        core.owner.begin()?;
        admitted.owner_counts = true;
        Ok(admitted)
    }

    /// [`to`](Self::to), without the owner of the runtime: for work that the owner counts itself.
    pub(crate) fn here(core: &Arc<Core>) -> Result<Self, Refusal> {
        if os::is_forked() {
            return Err(Refusal::Forked);
        }
        if !core.lifecycle.admit() {
            return Err(Refusal::ShutDown);
        }
        Ok(Self { core: Arc::clone(core), owner_counts: false, place: NOWHERE })
    }

    /// [`to`](Self::to), which panics where work is refused.
    #[track_caller]
    pub(crate) fn or_panic(core: &Arc<Core>) -> Self {
        match Self::to(core) {
            Ok(admitted) => admitted,
            Err(refusal) => panic!("{refusal}"),
        }
    }

    /// The polls of the work are of the place with this number.
    pub(crate) fn at(mut self, place: u32) -> Self {
        self.place = place;
        self
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl OfPlace for Admitted {
    fn slow_polls(&self) -> &SlowPolls {
        &self.core.slow_polls
    }

    fn place(&self) -> u32 {
        self.place
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.owner_counts {
            self.core.owner.end();
        }
        self.core.lifecycle.end_one();
    }
}

/// Completes when the end has begun and no work is left; no work is admitted from then on.
pub(crate) struct Drained {
    core: Arc<Core>,
    waiter: Waiter,
}

impl Drained {
    pub(crate) fn of(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), waiter: Waiter::default() }
    }
}

impl Future for Drained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { core, waiter } = &mut *self;
        core.lifecycle.poll_over(waiter, cx)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        self.core.lifecycle.forget(&mut self.waiter);
    }
}
