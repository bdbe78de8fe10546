//! Times one run of a function on the calling thread.

use std::time::{Duration, Instant};

use crate::scheduler::{Run, Used};
use crate::topology::os;

/// A run that has begun.
pub(crate) struct Stopwatch {
    started: Instant,
    /// CPU time and waits of the thread so far, where the run is looked at.
    before: Option<(Duration, u64)>,
    is_looked_at: bool,
}

impl Stopwatch {
    /// The run began at `started`, just now. Whether it is looked at, the function's record says
    /// ([`Record::wants_look`](crate::scheduler::Record::wants_look)).
    pub(crate) fn since(started: Instant, is_looked_at: bool) -> Self {
        let before = if is_looked_at { os::use_of_thread() } else { None };
        Self { started, before, is_looked_at }
    }

    pub(crate) fn start(is_looked_at: bool) -> Self {
        Self::since(Instant::now(), is_looked_at)
    }

    /// The run has ended.
    pub(crate) fn stop(&self) -> Run {
        let took = self.started.elapsed();
        let used = match self.before {
            None if self.is_looked_at => Used::All,
            None => Used::Unknown,
            Some((cpu, waits)) => os::use_of_thread().map_or(Used::All, |(cpu_now, waits_now)| {
                Used::Cpu(cpu_now.saturating_sub(cpu), waits_now.saturating_sub(waits))
            }),
        };
        Run { took, used }
    }
}
