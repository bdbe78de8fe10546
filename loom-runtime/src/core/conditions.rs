//! The conditions that a decision depends on, beside the function.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::scheduler::{Belief, Caller, Conditions, Overhead};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;

use super::io_side::{self, IoSide};
use super::local_core;
use super::shared::Core;

impl Core {
    /// The current conditions, the queue aside, which depends on the call's priority.
    pub(crate) fn conditions(&self, now: u64) -> Conditions {
        self.conditions_of(false, now)
    }

    /// The conditions of a function, which may observe: then they are those that there would be if what
    /// observed functions do not offload were offloaded.
    pub(crate) fn conditions_of(&self, is_observed: bool, now: u64) -> Conditions {
        let seen = |side: &IoSide, tokio: Option<&Handle>| Conditions {
            is_observed,
            ..self.seen_from(side, tokio, is_observed, now)
        };
        let of_caller = if self.is_process_wide() {
            io_side::with_current(|side, tokio| seen(side, Some(tokio)))
        } else {
            None
        };
        of_caller.unwrap_or_else(|| seen(&self.io, self.tokio.get()))
    }

    /// The conditions of a call from this I/O side.
    fn seen_from(
        &self,
        side: &IoSide,
        tokio: Option<&Handle>,
        is_observed: bool,
        now: u64,
    ) -> Conditions {
        let mut pressure = &side.pressure;
        if let Some((ready, arrivals, pressure_level)) = self.owner.pressure() {
            pressure.set_from_host(ready, arrivals, pressure_level);
        } else if let Some(tokio) = tokio {
            let inline = side.inline_nanos.load(Ordering::Relaxed);
            pressure.refresh(tokio, &self.knobs, inline, now);
            if is_observed {
                pressure = side.withheld.pressure(tokio, &self.knobs, inline, now);
            }
        }
        Conditions {
            caller: self.caller(side),
            forced: None,
            is_overridden: false,
            is_observed: false,
            is_refused: false,
            is_limited: false,
            overhead: self.overhead(side),
            overhead_age: side.overhead.age(now),
            queue: 0.0,
            pressure: pressure.ready(),
            arrivals: pressure.arrivals(),
        }
    }

    fn overhead(&self, side: &IoSide) -> Belief {
        side.overhead.belief(self.knobs.offload_overhead_us() * 1e3)
    }

    /// Calls `f` with the I/O side that the calling thread's last decision was made for.
    #[inline]
    pub(crate) fn with_io_side<R>(&self, f: impl Fn(&IoSide) -> R) -> R {
        let of_caller = if self.is_process_wide() { io_side::with_last(&f) } else { None };
        of_caller.unwrap_or_else(|| f(&self.io))
    }

    /// Where the round trip of a call that is made now is recorded, if not at the runtime's own I/O side.
    pub(crate) fn overhead_of_caller(&self) -> Option<Arc<Overhead>> {
        if !self.is_process_wide() {
            return None;
        }
        io_side::with_current(|side, _| Arc::clone(&side.overhead))
    }

    /// How long it takes to sleep until a compute thread wakes the caller, as far as that is known;
    /// at most 50 µs.
    pub(crate) fn wake_time(&self) -> Duration {
        let overhead = self.with_io_side(|side| self.overhead(side));
        Duration::from_secs_f64(overhead.mean.clamp(0.0, 50e3) / 1e9)
    }

    /// Which kind of thread makes the call, in the scheduler's terms.
    fn caller(&self, side: &IoSide) -> Caller {
        if self.compute_threads == 0 {
            Caller::NoPool
        } else if self.is_own_compute_thread() {
            Caller::ComputeWorker
        } else if local_core::is_here() {
            Caller::LocalCore
        } else {
            side.workers.map_or(Caller::Outside, Caller::Io)
        }
    }

    /// A verdict is decided anew when this changes.
    #[inline]
    pub(crate) fn pressure_level(&self) -> u32 {
        self.with_io_side(IoSide::level)
    }
}
