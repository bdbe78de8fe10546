//! The deadline of a call in the queue.

use std::time::{Duration, Instant};

use crate::core::Function;
use crate::sync::atomic::{AtomicBool, Ordering};

use super::deadline::{DeadlineExceeded, deadline, now};

/// By so much of its mean a call may take longer.
const SPREAD: f64 = 0.25;
/// Of so many calls that seem hopeless from the start, one is tried.
const ONE_IN: u32 = 8;

/// When a call has to begin.
///
/// A queue under overload serves calls that have waited for nearly all of their time. If they began then, each would
/// end too late and nothing would be answered in time. So a call begins only if it ends in time by what its function
/// has taken so far.
#[derive(Debug)]
pub(super) struct Due {
    begin_by: Instant,
    /// `Relaxed`: only the thread that runs or drops the call uses these two.
    has_begun: AtomicBool,
    has_said_no: AtomicBool,
}

impl Due {
    /// The deadline of a call that is submitted now, if there is one.
    pub(super) fn of(function: Option<&Function>) -> Option<Self> {
        let at = deadline()?;
        let takes = function.and_then(|function| function.takes.mean_micros()).unwrap_or(0);
        let takes = Duration::from_micros(takes.into()).mul_f64(1.0 + SPREAD);
        let by_mean = at.checked_sub(takes).unwrap_or(at);
        // A call that is hopeless from the start may only seem so: the mean is of calls that ran, and none would run.
        let is_tried = by_mean <= now() && function.is_some_and(|it| it.tries_hopeless(ONE_IN));
        let begin_by = if is_tried { at } else { by_mean };
        let (has_begun, has_said_no) = (AtomicBool::new(false), AtomicBool::new(false));
        Some(Self { begin_by, has_begun, has_said_no })
    }

    /// Asked when the call is about to begin, and again while it runs: whether it may begin, or may go on.
    pub(super) fn may_begin(&self) -> bool {
        let may_begin = self.has_begun.load(Ordering::Relaxed) || now() <= self.begin_by;
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
    begin_by: Instant,
    function: Option<&'static str>,
}

impl Expiry {
    pub(super) fn of(due: &Due, function: Option<&Function>) -> Self {
        Self { begin_by: due.begin_by, function: function.map(|function| function.site.name()) }
    }

    /// The error of a call that did not begin, if that was for its deadline.
    pub(super) fn exceeded(&self) -> Option<DeadlineExceeded> {
        let by = now().checked_duration_since(self.begin_by)?;
        Some(DeadlineExceeded { function: self.function, by })
    }
}
