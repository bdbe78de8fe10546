//! Calls that would have gone to the compute pool, but run inline since their function observes.
//!
//! They hold up an I/O worker, and tasks wait behind them, which would not be so if the call were
//! offloaded. What the scheduler is to say of such a program is what it would decide without those
//! waits. So their time is known apart, and nothing is estimated while their tasks still wait.

use crate::sync::atomic::{AtomicU64, Ordering};

/// `Relaxed`: statistics, which publish nothing.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    /// Nanoseconds that they took.
    nanos: AtomicU64,
    /// Until when tasks may wait because of them, in nanoseconds.
    until: AtomicU64,
}

impl Withheld {
    /// A call begins, and is expected to take that many nanoseconds.
    pub(crate) fn begins(&self, expected: f64, now: u64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let expected = expected as u64;
        self.holds_up(now, expected.saturating_mul(2));
    }

    /// A call has ended, and took that many nanoseconds.
    pub(crate) fn ends(&self, took: u64, now: u64) {
        self.nanos.fetch_add(took, Ordering::Relaxed);
        self.holds_up(now, took);
    }

    /// A worker whose load is below one half works off what came meanwhile in the same time again, at
    /// most.
    fn holds_up(&self, now: u64, nanos: u64) {
        self.until.fetch_max(now.saturating_add(nanos), Ordering::Relaxed);
    }

    pub(super) fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    /// Whether tasks may wait because of them.
    pub(super) fn is_waited_for(&self, now: u64) -> bool {
        now < self.until.load(Ordering::Relaxed)
    }
}
