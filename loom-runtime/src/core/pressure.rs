//! How many tasks are ready on the I/O side, as far as stable tokio shows it.
//!
//! Tokio reports the length of the queue that all workers share, but not of a worker's own queue.
//! That length is estimated from how busy workers are with anything but inline calls, as the mean
//! queue of M/M/1. So a worker that one always-ready task keeps busy counts as one with a queue,
//! and a burst in a worker's own queue shows only once it has kept the worker busy for a while.
//! Sleeping tasks do not count.

use tokio::runtime::{Handle, RuntimeMetrics};

use crate::scheduler::MabKnobs;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How long an estimate is used, in nanoseconds.
pub(super) const HOLDS: u64 = 1_000_000;
/// The weight of a new figure against the earlier ones.
const WEIGHT: f32 = 0.3;
/// The highest busy share that is used, since the estimated queue grows without bound towards 1.
const BUSIEST: f32 = 0.9;

/// How many times the time that has passed may be left for later.
const MOST_CARRIED: u64 = 4;

/// The inline calls of a tokio runtime.
#[derive(Clone, Copy)]
pub(super) struct Inline {
    /// What they took, in nanoseconds.
    pub(super) nanos: u64,
    /// What those of them took that would have been offloaded, where that is left out. Then what is more
    /// than workers were busy counts later: tokio counts a worker as busy when it has gone through its
    /// tasks, which may be later than the end of such a long call.
    pub(super) withheld: Option<u64>,
}

/// All `Relaxed`: statistics, which publish nothing.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Pressure {
    /// The time of the last estimate in nanoseconds, plus one; 0 before the first.
    at: AtomicU64,
    /// Tokio's figures at that time: nanoseconds busy, and how often a worker parked or was
    /// unparked.
    busy: AtomicU64,
    parks: AtomicU64,
    /// Nanoseconds of inline calls that were counted, and of those that would have been offloaded.
    inline: AtomicU64,
    withheld: AtomicU64,
    /// The results, as floats: the fraction of time that workers are busy, the share of time in which they run
    /// calls that would have been offloaded, ready tasks per worker, and tasks that become ready per worker and
    /// nanosecond.
    load: AtomicU32,
    withheld_share: AtomicU32,
    ready: AtomicU32,
    arrivals: AtomicU32,
    /// A verdict is decided anew when this changes.
    level: AtomicU32,
}

impl Pressure {
    /// The estimated number of ready tasks per worker, which a caller would delay.
    pub(crate) fn ready(&self) -> f64 {
        load(&self.ready).into()
    }

    /// How many tasks become ready on one worker per nanosecond.
    pub(crate) fn arrivals(&self) -> f64 {
        load(&self.arrivals).into()
    }

    #[inline]
    pub(crate) fn pressure_level(&self) -> u32 {
        self.level.load(Ordering::Relaxed)
    }

    /// Estimates anew, at most once per `HOLDS`. `inline` is in nanoseconds.
    pub(crate) fn refresh(&self, tokio: &Handle, knobs: &MabKnobs, inline: u64, now: u64) {
        if let Some(at) = self.turn(now) {
            let inline = Inline { nanos: inline, withheld: None };
            self.estimate(tokio, knobs, inline, (at, now));
        }
    }

    /// How old the estimate is, in nanoseconds; `None` before the first.
    pub(super) fn age(&self, now: u64) -> Option<u64> {
        let at = self.at.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.saturating_sub(at))
    }

    /// The time of the last estimate, plus one, if a new one is due. One thread has the turn; the others
    /// use the last estimate.
    pub(super) fn turn(&self, now: u64) -> Option<u64> {
        let at = self.at.load(Ordering::Relaxed);
        let is_due = at == 0 || now + 1 >= at + HOLDS;
        let mine = is_due
            && self.at.compare_exchange(at, now + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        mine.then_some(at)
    }

    /// Estimates from what has changed since `at`, and returns how many tasks are ready.
    pub(super) fn estimate(
        &self,
        tokio: &Handle,
        knobs: &MabKnobs,
        inline: Inline,
        (at, now): (u64, u64),
    ) -> f32 {
        let metrics = tokio.metrics();
        let workers = metrics.num_workers().max(1);
        let (busy, parks) = totals(&metrics, workers);
        let grown = |last: &AtomicU64, value: u64| {
            value.saturating_sub(last.swap(value, Ordering::Relaxed))
        };
        let (busy, parks) = (grown(&self.busy, busy), grown(&self.parks, parks));
        let ready = per(metrics.global_queue_depth() as u64, workers as u64);
        let passed = (now + 1).saturating_sub(at).saturating_mul(workers as u64);
        // What is ahead of `most` is left for the next time.
        let counted = |last: &AtomicU64, value: u64, most: u64| {
            let ahead = grown(last, value);
            if inline.withheld.is_some() {
                let left = ahead.saturating_sub(most).min(passed.saturating_mul(MOST_CARRIED));
                last.store(value - left, Ordering::Relaxed);
            }
            ahead.min(most)
        };
        let all = counted(&self.inline, inline.nanos, busy);
        let withheld = counted(&self.withheld, inline.withheld.unwrap_or(0), all);
        if at == 0 {
            // There is no earlier figure to compare with yet.
            self.set(knobs, ready, 0.0);
            return ready;
        }
        // A decision weighs the time of inline calls itself, so it is no part of this load. Nor is the
        // time of those that would have been offloaded: there, a worker would have done other work.
        let kept = all - withheld;
        // A task in the shared queue waits for any worker. For this share of the time a worker would have
        // been free for it, were those calls offloaded.
        let withheld_share = per(withheld, passed.max(1)).min(1.0);
        let ready = ready * (1.0 - smoothed(&self.withheld_share, withheld_share));
        let busy = per(busy - all, passed.saturating_sub(kept).max(1));
        let busy = smoothed(&self.load, busy.min(BUSIEST));
        let ready = ready + busy * busy / (1.0 - busy);
        // A task that becomes ready while its worker sleeps makes the worker unpark and later park
        // again, so it counts twice.
        let passed = passed.saturating_sub(withheld).max(1);
        self.set(knobs, ready, per(parks / 2, passed));
        ready
    }

    /// Takes an earlier estimate of ready tasks again.
    pub(super) fn repeat(&self, knobs: &MabKnobs, ready: f32) {
        self.set(knobs, ready, load(&self.arrivals));
    }

    /// Stores the host's estimate.
    #[expect(clippy::cast_possible_truncation, reason = "an estimate, which needs few digits")]
    pub(crate) fn set_from_host(&self, ready: f64, arrivals: f64, pressure_level: u32) {
        self.ready.store((ready as f32).to_bits(), Ordering::Relaxed);
        self.arrivals.store((arrivals as f32).to_bits(), Ordering::Relaxed);
        self.level.store(pressure_level, Ordering::Relaxed);
    }

    fn set(&self, knobs: &MabKnobs, ready: f32, arrivals: f32) {
        #[expect(clippy::cast_possible_truncation, reason = "a knob, which needs few digits")]
        let ready = ready.min(knobs.pressure_clip as f32);
        self.ready.store(ready.to_bits(), Ordering::Relaxed);
        self.arrivals.store(arrivals.to_bits(), Ordering::Relaxed);
        let pressure_level = knobs.pressure_level(ready.into());
        // A load first: every call reads this.
        if self.level.load(Ordering::Relaxed) != pressure_level {
            self.level.store(pressure_level, Ordering::Relaxed);
        }
    }
}

fn totals(metrics: &RuntimeMetrics, workers: usize) -> (u64, u64) {
    let busy = |worker| u64::try_from(metrics.worker_total_busy_duration(worker).as_nanos());
    (0..workers).fold((0, 0), |(all, parks), worker| {
        (all + busy(worker).unwrap_or(0), parks + metrics.worker_park_unpark_count(worker))
    })
}

#[expect(clippy::cast_precision_loss, reason = "an estimate, which needs few digits")]
fn per(a: u64, b: u64) -> f32 {
    a as f32 / b as f32
}

/// The mean of a new figure and the earlier ones, which is stored.
fn smoothed(mean: &AtomicU32, new: f32) -> f32 {
    let before = load(mean);
    let after = before + (new - before) * WEIGHT;
    mean.store(after.to_bits(), Ordering::Relaxed);
    after
}

fn load(float: &AtomicU32) -> f32 {
    f32::from_bits(float.load(Ordering::Relaxed))
}
