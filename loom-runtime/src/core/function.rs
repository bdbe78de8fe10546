//! What one runtime knows about one function: record, counters and per-thread statistics.

use std::time::Duration;

use crate::bridge::Priority;
use crate::metrics::FunctionCounters;
#[cfg(feature = "fleet")]
use crate::scheduler::FarRecord;
use crate::scheduler::{Arm, Record, Site, ThreadStats, Wake};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::gate::{Gate, Gates};
use super::overrides::Applied;
use super::run_times::{RunTimes, WholeTimes};

/// What one runtime knows about one function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) site: &'static Site,
    /// The class of input sizes that this is about, where calls state a size.
    pub(crate) class: u8,
    pub(crate) record: Record,
    /// How long its calls take on the pool. The record has that, too, but takes longer to read.
    pub(crate) on_pool: RunTimes,
    /// The same without a bound, for deadlines.
    pub(crate) takes: WholeTimes,
    /// Calls that seemed to have too little time from the start. `Relaxed`: it chooses which of them are tried.
    hopeless: AtomicU32,
    pub(crate) all_stats: ThreadStatsList,
    pub(crate) counters: FunctionCounters,
    /// The override that applies to it.
    pub(crate) applied: Applied,
    gate: OnceLock<Arc<Gate>>,
    /// The priority of its last measured call.
    pub(crate) priority: LastPriority,
    /// Of the first class of a function that awaits: after which wakes its polls go to the pool.
    pub(crate) pooled: PooledPolls,
    /// Its calls on other processes.
    #[cfg(feature = "fleet")]
    pub(crate) far: FarRecord,
}

/// After which wakes the polls of a function go to the pool, by the last decisions.
///
/// `Relaxed`: a hint for the next poll.
#[derive(Debug, Default)]
pub(crate) struct PooledPolls(AtomicU32);

impl PooledPolls {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn contains(&self, wake: Wake) -> bool {
        self.0.load(Ordering::Relaxed) & 1 << wake as u32 != 0
    }

    pub(crate) fn set(&self, wake: Wake, is_pooled: bool) {
        // A load first: the cache line is shared and seldom changes.
        if self.contains(wake) != is_pooled {
            self.0.fetch_xor(1 << wake as u32, Ordering::Relaxed);
        }
    }
}

/// `Relaxed`: it publishes nothing.
#[derive(Debug, Default)]
pub(crate) struct LastPriority(AtomicU32);

impl LastPriority {
    pub(crate) fn set(&self, priority: Priority) {
        // A load first: the cache line is shared and seldom changes.
        if self.get() != priority {
            self.0.store(priority as u32, Ordering::Relaxed);
        }
    }

    /// `Low` before the first call.
    pub(crate) fn get(&self) -> Priority {
        Priority::ALL[self.0.load(Ordering::Relaxed) as usize % Priority::ALL.len()]
    }
}

impl Function {
    pub(super) fn new(site: &'static Site, class: u8, record: Record) -> Self {
        Self {
            site,
            class,
            record,
            on_pool: RunTimes::default(),
            takes: WholeTimes::default(),
            hopeless: AtomicU32::new(0),
            all_stats: ThreadStatsList::default(),
            counters: FunctionCounters::default(),
            applied: Applied::default(),
            gate: OnceLock::new(),
            priority: LastPriority::default(),
            pooled: PooledPolls::default(),
            #[cfg(feature = "fleet")]
            far: FarRecord::default(),
        }
    }

    /// The calls so far, on both arms.
    pub(crate) fn calls(&self) -> u64 {
        let Self { counters, all_stats, .. } = self;
        inline(all_stats) + counters.withheld.count() + counters.offloaded.count()
    }

    /// What counts the calls of a function with a limit, among the gates of its runtime.
    pub(crate) fn gate(&self, gates: &Gates) -> &Arc<Gate> {
        self.gate.get_or_init(|| gates.of(self.site.of_item()))
    }

    /// Whether a call that seems to have too little time is tried all the same, as one in so many is.
    pub(crate) fn tries_hopeless(&self, one_in: u32) -> bool {
        self.hopeless.fetch_add(1, Ordering::Relaxed).is_multiple_of(one_in)
    }

    /// The gate, if it was used.
    pub(crate) fn gate_if_any(&self) -> Option<&Arc<Gate>> {
        self.gate.get()
    }

    /// Whether what a thread uses during a run on the pool is to be read.
    pub(crate) fn wants_look_on_pool(&self) -> bool {
        let expected = f64::from(self.on_pool.micros().unwrap_or_default()) * 1e3;
        self.record.wants_look(Arm::OffloadRayon, expected)
    }
}

/// The duration in nanoseconds; a longer one than `u64` can hold (584 years) counts as `u64::MAX`.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The per-thread statistics of one function, as many as threads have called it at the same time.
pub(crate) type ThreadStatsList = Mutex<Vec<Arc<ThreadStats>>>;

/// How many calls ran inline, on all threads.
pub(crate) fn inline(all_stats: &ThreadStatsList) -> u64 {
    let all_stats = all_stats.lock().unwrap_or_else(PoisonError::into_inner);
    all_stats.iter().map(|stats| stats.inline()).sum()
}
