//! The wait for the end of all work endures every waker.

use std::cell::Cell;

use super::super::Core;
use super::Drained;
use crate::hostile::{Place, endure};
use crate::scheduler::MabKnobs;
use crate::sync::Arc;
use crate::topology::{CoreBudget, Plan, Request};

/// A core with one piece of work.
struct Ending {
    core: Arc<Core>,
    has_work: Cell<bool>,
}

impl Ending {
    fn new() -> Self {
        let plan = Arc::new(Plan::new(CoreBudget::discover(), Request::default()));
        let core = Arc::new(Core::new(plan, Some(1), 1, 1, MabKnobs::new()));
        assert!(core.lifecycle.admit());
        Self { core, has_work: Cell::new(true) }
    }
}

impl Place for Ending {
    type Wait = Drained;

    fn wait(&self) -> Drained {
        Drained::of(&self.core)
    }

    fn fire(&self) {
        self.core.lifecycle.drain();
        if self.has_work.replace(false) {
            self.core.lifecycle.end_one();
        }
    }
}

#[test]
fn a_wait_for_the_end_endures_every_waker() {
    endure(Ending::new);
}
