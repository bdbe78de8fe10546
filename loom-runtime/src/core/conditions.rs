//! The conditions that a decision depends on, beside the function.

use std::time::Duration;

use crate::scheduler::{Caller, Conditions};
use crate::sync::atomic::Ordering;

use super::local_core;
use super::shared::Core;

impl Core {
    /// The current conditions.
    pub(crate) fn conditions(&self, now: u64) -> Conditions {
        if let Some((ready, arrivals, pressure_level)) = self.owner.pressure() {
            self.pressure.set_from_host(ready, arrivals, pressure_level);
        } else if let Some(tokio) = self.tokio.get() {
            let inline = self.inline_nanos.load(Ordering::Relaxed);
            self.pressure.refresh(tokio, &self.knobs, inline, now);
        }
        Conditions {
            caller: self.caller(),
            forced: None,
            is_refused: false,
            overhead: self.overhead.belief(self.knobs.offload_overhead_us() * 1e3),
            overhead_age: self.overhead.age(now),
            pressure: self.pressure.ready(),
            arrivals: self.pressure.arrivals(),
        }
    }

    /// How long it takes to sleep until a compute thread wakes the caller, as far as that is known;
    /// at most 50 µs.
    pub(crate) fn wake_time(&self) -> Duration {
        let overhead = self.overhead.belief(self.knobs.offload_overhead_us() * 1e3);
        Duration::from_secs_f64(overhead.mean.clamp(0.0, 50e3) / 1e9)
    }

    /// Which kind of thread makes the call, in the scheduler's terms.
    pub(crate) fn caller(&self) -> Caller {
        if self.compute_threads == 0 {
            Caller::NoPool
        } else if self.is_own_compute_thread() {
            Caller::ComputeWorker
        } else if local_core::is_here() || self.io_workers.is_none_or(|n| n == 1) {
            // No other thread runs the tasks of a local core.
            Caller::LoneIoWorker
        } else {
            Caller::IoWorker
        }
    }

    /// A verdict is decided anew when this changes.
    #[inline]
    pub(crate) fn pressure_level(&self) -> u32 {
        self.pressure.pressure_level()
    }
}
