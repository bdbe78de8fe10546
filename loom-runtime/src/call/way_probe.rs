//! Calls that do nothing, by which the way to the compute pool is measured where no function goes there.
//!
//! Functions in the mode `observe` run inline, so they do not show what offloading would cost. A task of
//! the caller's runtime awaits the probe, and so it measures what a task of the program would see.

use std::future::poll_fn;

use tokio::runtime::Handle;

use crate::core::Core;
use crate::scheduler::Conditions;
use crate::sync::Arc;

use super::accounting::CallOptions;
use super::compute::try_offload;

/// Makes a probe if one is due. `calls` calls were made since this was asked last.
pub(super) fn make_if_due(core: &Arc<Core>, calls: u64, conditions: &Conditions, now: u64) {
    let cost = conditions.overhead.mean;
    let is_due = || core.with_io_side(|side| side.probes.is_due(calls, cost, now));
    if conditions.is_overhead_fresh() || !is_due() {
        return;
    }
    let Ok(tokio) = Handle::try_current() else { return };
    let core = Arc::clone(core);
    drop(tokio.spawn(async move {
        let options = CallOptions { is_timed: true, ..CallOptions::default() };
        // The queue may be full, or the runtime at its end: then nothing is measured.
        let Ok(mut call) = try_offload(&core, options, || ()) else { return };
        drop(poll_fn(|cx| call.poll(cx)).await);
    }));
}
