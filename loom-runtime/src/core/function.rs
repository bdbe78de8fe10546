//! What one runtime knows of one function: its record, its counters and each thread's part of both.

use std::time::Duration;

use crate::metrics::FunctionCounters;
use crate::scheduler::{Record, Site, ThreadStats};
use crate::sync::{Arc, Mutex, PoisonError};

/// What one runtime knows of one function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) site: &'static Site,
    /// Which class of input sizes it is about, where calls give a size.
    pub(crate) class: u8,
    pub(crate) record: Record,
    pub(crate) all_stats: ThreadStatsList,
    pub(crate) counters: FunctionCounters,
}

/// As a number; centuries count as one.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The shares of one function, one for each thread that has called it at the same time.
pub(crate) type ThreadStatsList = Mutex<Vec<Arc<ThreadStats>>>;

/// Calls that ran inline, of all threads.
pub(crate) fn inline(all_stats: &ThreadStatsList) -> u64 {
    let all_stats = all_stats.lock().unwrap_or_else(PoisonError::into_inner);
    all_stats.iter().map(|stats| stats.inline()).sum()
}
