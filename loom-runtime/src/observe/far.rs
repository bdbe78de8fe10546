//! What a runtime has measured of calls on other processes.

use std::fmt;
use std::time::Duration;

use crate::call::far::far_verdict;
use crate::core::{Core, Function};
use crate::metrics::Histogram;
use crate::scheduler::{FarVerdict, duration};

/// The calls of one function that went to other processes, and those that came from there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FarStats {
    /// Calls that were to go. Each of them ends in one of the following counts, or is under way.
    pub sent: u64,
    /// Calls whose result came back.
    pub returned: u64,
    /// Calls that the fleet did not run, and that ran here: the other process was full, missing, of another
    /// build, or the arguments were too large or could not be written.
    pub refused: u64,
    /// Calls that may have run, but whose result never came. An idempotent one ran again, here.
    pub lost: u64,
    /// Calls that did not end in time.
    pub expired: u64,
    /// Calls that panicked there.
    pub panicked: u64,
    /// Calls whose caller did not wait for the answer.
    pub given_up: u64,
    /// Calls that are under way now.
    pub under_way: u64,
    /// How long calls ran there.
    pub run_times: Histogram,
    /// How long they waited there.
    pub waits: Histogram,
    /// The rest of what their callers saw: encoding, both ways over the network, decoding.
    pub ways: Histogram,
    /// The mean way as the scheduler remembers it; `None` before the first answer.
    pub way: Option<Duration>,
    /// Whether a call that is made now would go to another process, and why; `None` where the runtime is in no
    /// fleet, or the function has no `fleet`.
    pub verdict: Option<FarVerdict>,
}

impl FarStats {
    pub(super) fn of(core: &Core, function: &Function, now: u64) -> Self {
        let (counters, record) = (&function.counters.far, &function.far);
        let known = record.known(now).filter(|known| known.ran.is_some());
        Self {
            sent: counters.sent.count(),
            returned: counters.returned.count(),
            refused: counters.refused.count(),
            lost: counters.lost.count(),
            expired: counters.expired.count(),
            panicked: counters.panicked.count(),
            given_up: counters.given_up.count(),
            under_way: record.under_way().into(),
            run_times: counters.ran.snapshot(),
            waits: counters.waited.snapshot(),
            ways: counters.way.snapshot(),
            way: known.map(|known| duration(known.way)),
            verdict: far_verdict(core, function, now),
        }
    }
}

/// In one line: how calls ended, and what the way and the wait were.
///
/// ```text
/// 930 of 1013 far calls were answered, 83 were refused; the way takes 410.2µs, 99 % waited at most 5.2ms
/// ```
impl fmt::Display for FarStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, returned, refused, lost, expired, panicked, given_up, .. } = self;
        if *sent == 0 {
            return f.write_str("no call has gone to other processes");
        }
        write!(f, "{returned} of {sent} far calls were answered")?;
        let ends = [
            (refused, "were refused"),
            (lost, "were lost"),
            (expired, "took too long"),
            (panicked, "panicked"),
            (given_up, "were given up"),
        ];
        for (calls, how) in ends.into_iter().filter(|(calls, _)| **calls > 0) {
            write!(f, ", {calls} {how}")?;
        }
        if let Some(way) = self.way {
            let wait = self.waits.quantile(0.99).unwrap_or_default();
            write!(f, "; the way takes {way:.1?}, 99 % waited at most {wait:.1?}")?;
        }
        Ok(())
    }
}
