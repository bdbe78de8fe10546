//! The deadline of a call in the queue.

use std::time::Instant;

use crate::core::Function;
use crate::sync::atomic::{AtomicBool, Ordering};

use super::deadline::{DeadlineExceeded, deadline, now};

/// By so many mean deviations a call may take longer, as RFC 6298 has it of the way of packets.
const SPREAD: u32 = 4;
/// Or by so much of its mean, if that is more.
const LEAST_SPREAD: f64 = 0.25;
/// Of so many calls that seem hopeless from the start, one is tried.
const ONE_IN: u32 = 8;

/// When a call has to begin.
///
/// A queue under overload serves calls that have waited for nearly all of their time. If they began then, each would
/// end too late and nothing would be answered in time. So a call begins only if it ends in time by what its function
/// has taken so far. While others wait, it has to be nearly sure of that: one of them is likely to have more time left.
#[derive(Debug)]
pub(super) struct Due {
    begin_by: Instant,
    /// Where others wait; no later than `begin_by`.
    sure_by: Instant,
    /// `Relaxed`: only the thread that runs or drops the call uses these two.
    has_begun: AtomicBool,
    has_said_no: AtomicBool,
}

impl Due {
    /// The deadline of a call that is submitted now, if there is one.
    pub(super) fn of(function: Option<&Function>) -> Option<Self> {
        let (at, now) = (deadline()?, now());
        let takes = function.and_then(|function| function.takes.mean()).unwrap_or_default();
        let deviation = function.map(|function| function.takes.deviation()).unwrap_or_default();
        let spread = (deviation * SPREAD).max(takes.mul_f64(LEAST_SPREAD));
        let by_mean = at.checked_sub(takes).unwrap_or(at);
        // However much its run times differ, a call may wait for half the time that it can spare: a function
        // that never began would never be seen to be fast.
        let spare = by_mean.saturating_duration_since(now);
        let surely = by_mean.checked_sub(spread.min(spare / 2)).unwrap_or(by_mean);
        // A call that is hopeless from the start may only seem so: the mean is of calls that ran, and none would run.
        let is_tried = by_mean <= now && function.is_some_and(|it| it.tries_hopeless(ONE_IN));
        let (begin_by, sure_by) = if is_tried { (at, at) } else { (by_mean, surely) };
        let (has_begun, has_said_no) = (AtomicBool::new(false), AtomicBool::new(false));
        Some(Self { begin_by, sure_by, has_begun, has_said_no })
    }

    /// Asked when the call is about to begin, and again while it runs: whether it may begin, or may go on.
    /// `others_wait` for a thread.
    pub(super) fn may_begin(&self, others_wait: bool) -> bool {
        let by = if others_wait { self.sure_by } else { self.begin_by };
        let may_begin = self.has_begun.load(Ordering::Relaxed) || now() <= by;
        self.has_begun.store(may_begin, Ordering::Relaxed);
        self.has_said_no.store(!may_begin, Ordering::Relaxed);
        may_begin
    }

    /// Whether the call did not begin because it was late.
    pub(super) fn has_said_no(&self) -> bool {
        self.has_said_no.load(Ordering::Relaxed)
    }
}

/// What the caller of a call with a deadline knows of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry {
    /// From then on it may have been refused for its deadline.
    since: Instant,
    function: Option<&'static str>,
}

impl Expiry {
    pub(super) fn of(due: &Due, function: Option<&Function>) -> Self {
        let function = function.map(|function| function.site.name());
        Self { since: due.sure_by, function }
    }

    /// The error of a call that did not begin, if that was for its deadline.
    pub(super) fn exceeded(&self) -> Option<DeadlineExceeded> {
        let by = now().checked_duration_since(self.since)?;
        Some(DeadlineExceeded { function: self.function, by })
    }
}
