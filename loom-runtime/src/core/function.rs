//! What one runtime knows of one function: its record, its counters and each thread's part of both.

use std::time::Duration;

use crate::metrics::FunctionCounters;
use crate::scheduler::{Record, Share, Site};
use crate::sync::{Arc, Mutex, PoisonError};

/// What one runtime knows of one function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) site: &'static Site,
    /// Which sizes of input it is about, where calls tell.
    pub(crate) class: u8,
    pub(crate) record: Record,
    pub(crate) shares: Shares,
    pub(crate) counters: FunctionCounters,
}

/// As a number; centuries count as one.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The shares of one function, one for each thread that has called it at the same time.
pub(crate) type Shares = Mutex<Vec<Arc<Share>>>;

/// Calls that ran inline, of all threads.
pub(crate) fn inline(shares: &Shares) -> u64 {
    let shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
    shares.iter().map(|share| share.inline()).sum()
}
