//! Counters of one function and of one runtime.

#[cfg(feature = "fleet")]
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::{AtomicU64, Ordering};

use super::histogram::Recorder;
use super::rate::Rate;
use super::sharded::Sharded;

/// A number of events that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened to the calls of one function. Settled calls are counted in the statistics of each
/// thread.
///
/// On cache lines of its own, since every call reads the fields beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct FunctionCounters {
    /// Calls that were offloaded to the compute pool.
    pub(crate) offloaded: Counter,
    /// Offloaded calls that ended without a panic or a refusal and that no caller had given up.
    pub(crate) returned: Counter,
    /// Offloaded calls that panicked.
    pub(crate) panicked: Counter,
    /// Inline calls that panicked.
    pub(crate) panicked_inline: Counter,
    /// Calls that the caller gave up before they ended; those not yet started never ran.
    pub(crate) abandoned: Counter,
    /// Calls that never ran, since the queue was full or the runtime had ended.
    pub(crate) refused: Counter,
    /// Calls that never ran, since they could not have ended before their deadline.
    pub(crate) expired: Counter,
    /// Calls that ran inline in the mode `observe`, against the scheduler's verdict.
    pub(crate) withheld: Counter,
    /// Calls whose mode an override has set.
    pub(crate) overridden: Counter,
    /// Run times of the function itself, on either arm.
    pub(crate) run_times: Recorder,
    /// How long offloaded calls waited until a compute thread started them.
    pub(crate) queue_waits: Recorder,
    /// How long calls waited for a limit of their function.
    pub(crate) limit_waits: Recorder,
    #[cfg(feature = "fleet")]
    pub(crate) far: FarCounters,
}

/// What happened to the calls of one function that went to other processes.
#[cfg(feature = "fleet")]
#[derive(Debug, Default)]
pub(crate) struct FarCounters {
    pub(crate) sent: Counter,
    pub(crate) returned: Counter,
    /// Calls that were not run there, and so ran here.
    pub(crate) refused: Counter,
    pub(crate) lost: Counter,
    pub(crate) expired: Counter,
    pub(crate) panicked: Counter,
    /// Calls whose caller did not wait for the answer.
    pub(crate) given_up: Counter,
    /// Whether a lost call was told.
    pub(crate) warned: AtomicBool,
    /// How long calls ran and waited there, and the rest of what their callers saw.
    pub(crate) ran: Recorder,
    pub(crate) waited: Recorder,
    pub(crate) way: Recorder,
}

/// What happened in one runtime, apart from the calls of single functions.
#[derive(Debug, Default)]
pub(crate) struct RuntimeCounters {
    /// Async tasks that were spawned and tracked.
    pub(crate) spawned: Sharded,
    pub(crate) spawn_rate: Rate,
    /// Compute calls that a compute thread ran to their end.
    pub(crate) run: Sharded,
    /// Compute calls that panicked, and panics of work spawned directly on the pool.
    pub(crate) compute_panics: Counter,
    /// Calls that their caller gave up before they ended.
    pub(crate) abandoned: Counter,
    /// Calls that were refused because the queue was full.
    pub(crate) refused: Counter,
    /// Requests that load shedding answered in place of the handler, whose calls would have waited
    /// too long.
    pub(crate) shed: Counter,
    /// How often a drainer was spawned for calls: the pool was idle, or had threads to spare.
    pub(crate) wakes: Counter,
    /// Calls that a guardrail kept away from the I/O workers, GR0 to GR4.
    pub(crate) guardrails: [Counter; 5],
    /// Looks at which a compute thread had work and got no CPU.
    pub(crate) starved: Counter,
    /// How often compute work left the idle class or went back.
    pub(crate) priority_changes: Counter,
    /// Tokio threads that inherited the idle class and could not leave it.
    pub(crate) demoted: Counter,
    /// Checks that found blocking functions waiting because the system refused a thread.
    pub(crate) threads_refused: Counter,
    /// How long calls waited until a compute thread started them; timed calls only.
    pub(crate) queue_waits: Recorder,
}
