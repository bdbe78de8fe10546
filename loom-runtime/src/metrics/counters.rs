//! Counters of one function and of one runtime.

use crate::sync::atomic::{AtomicU64, Ordering};

use super::histogram::Histogram;

/// A number of events that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened to the calls of one function.
#[derive(Debug, Default)]
pub(crate) struct FunctionCounters {
    /// Decided to run on the compute pool.
    pub(crate) offloaded: Counter,
    /// Ended in a panic, on either arm.
    pub(crate) panicked: Counter,
    /// Given up by the caller before they ended; those not yet started never ran.
    pub(crate) abandoned: Counter,
    /// Ran inline because nothing may be offloaded, against the scheduler's verdict.
    pub(crate) withheld: Counter,
    /// How long the function itself took, on either arm.
    pub(crate) run_times: Histogram,
}

/// What happened in one runtime, beside the calls of single functions.
#[derive(Debug, Default)]
pub(crate) struct RuntimeCounters {
    /// Compute calls that panicked, and panics of work spawned directly on the pool.
    pub(crate) compute_panics: Counter,
    /// Calls given up by their caller before they ended.
    pub(crate) abandoned: Counter,
    /// Times a compute thread was fetched for calls: the pool was idle, or had threads to
    /// spare.
    pub(crate) wakes: Counter,
    /// Calls that a guardrail kept away from the I/O workers, GR0 to GR3.
    pub(crate) guardrails: [Counter; 4],
    /// Tenths of a second in which a compute thread had work and got no CPU.
    pub(crate) starved: Counter,
    /// Tokio threads that inherited the idle class and could not get rid of it.
    pub(crate) demoted: Counter,
    /// Looks at blocking functions that waited because the system refused a thread.
    pub(crate) threads_refused: Counter,
}
