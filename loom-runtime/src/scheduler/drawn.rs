//! The last verdict of a record, which any thread may draw and read.

use crate::sync::atomic::{AtomicU64, Ordering};

use super::decide::{Conditions, Costs};
use super::times::{pack, unpack};
use super::verdict::Kept;
use super::{Arm, Reason};

/// The last verdict that was drawn, for reports. `Relaxed`, since its parts may belong to verdicts of
/// several threads.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// The time in milliseconds plus one, the reason, and the arm in the lowest bit.
    what: AtomicU64,
    costs: AtomicU64,
    pressure_and_overhead: AtomicU64,
}

impl Drawn {
    pub(super) fn keep(
        &self,
        (arm, reason): (Arm, Reason),
        conditions: &Conditions,
        costs: Costs,
        now: u64,
    ) {
        let millisecond = now / 1_000_000 + 1;
        let what = millisecond << 16 | (reason as u64) << 1 | u64::from(arm == Arm::InlineTokio);
        self.costs.store(pack(costs.inline, costs.offload), Ordering::Relaxed);
        let conditions = pack(conditions.pressure, conditions.overhead.mean);
        self.pressure_and_overhead.store(conditions, Ordering::Relaxed);
        self.what.store(what, Ordering::Relaxed);
    }

    pub(super) fn kept(&self) -> Option<Kept> {
        let what = self.what.load(Ordering::Relaxed);
        let millisecond = (what >> 16).checked_sub(1)?;
        let (inline, offload) = unpack(self.costs.load(Ordering::Relaxed));
        let (pressure, overhead) = unpack(self.pressure_and_overhead.load(Ordering::Relaxed));
        Some(Kept {
            arm: if what & 1 == 1 { Arm::InlineTokio } else { Arm::OffloadRayon },
            reason: Reason::from_index(what >> 1 & 0x7fff),
            millisecond,
            costs: Costs { inline, offload },
            pressure,
            overhead,
        })
    }
}
