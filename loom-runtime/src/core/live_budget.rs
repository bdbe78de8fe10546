//! What a runtime may use at this moment: CPUs and quota may change while it runs.

use std::fmt;
use std::time::{Duration, Instant};

use crate::metrics::Counter;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Mutex, PoisonError};
use crate::topology::CoreBudget;

use super::token_bucket::{Spent, TokenBucket};

const FREE: u32 = u32::MAX;

/// The CPUs and the CPU time that the system allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Allowed {
    /// How many CPUs there are.
    pub(crate) cpus: usize,
    /// CPU time per wall time, such as 3.5.
    pub(crate) quota: Option<f64>,
}

impl Allowed {
    pub(crate) fn of(budget: &CoreBudget) -> Self {
        Self { cpus: budget.cpus.len(), quota: budget.quota }
    }

    /// How many threads can run at once.
    pub(crate) fn parallelism(self) -> usize {
        CoreBudget::parallelism_of(self.cpus, self.quota)
    }

    /// CPU time per wall time.
    pub(crate) fn cpu_time(self) -> f64 {
        self.cap().unwrap_or_else(|| self.all_cpus())
    }

    /// Whether both allow the same, as far as [`Display`](fmt::Display) tells them apart.
    fn is_about(self, other: Self) -> bool {
        let caps = [self.cap(), other.cap()];
        match caps {
            [Some(one), Some(two)] => (one - two).abs() < 0.005,
            [None, None] => self.cpus == other.cpus,
            _ => false,
        }
    }

    /// The quota, if it is below what the CPUs could do.
    pub(crate) fn cap(self) -> Option<f64> {
        self.quota.filter(|quota| *quota < self.all_cpus())
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
    fn all_cpus(self) -> f64 {
        self.cpus as f64
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.cap(), self.cpus) {
            (Some(quota), _) => write!(f, "a quota of {quota:.2} CPUs"),
            (None, 1) => f.write_str("1 CPU"),
            (None, cpus) => write!(f, "{cpus} CPUs"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct LiveBudget {
    allowed: Mutex<Allowed>,
    /// How many CPUs' time compute work may use, in thousandths; `FREE` for all that there is.
    rate: AtomicU32,
    bucket: Mutex<TokenBucket>,
    /// How often what is allowed has changed.
    pub(crate) changes: Counter,
    /// Periods in which the system stopped the process because it had used its quota up.
    pub(crate) throttled: Counter,
}

impl LiveBudget {
    pub(crate) fn new(budget: &CoreBudget) -> Self {
        Self {
            allowed: Mutex::new(Allowed::of(budget)),
            rate: AtomicU32::new(FREE),
            bucket: Mutex::new(TokenBucket::empty(Instant::now())),
            changes: Counter::default(),
            throttled: Counter::default(),
        }
    }

    pub(crate) fn allowed(&self) -> Allowed {
        *self.allowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what is allowed now, and returns what was allowed before if that differs.
    pub(crate) fn follow(&self, now: Allowed) -> Option<Allowed> {
        let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = !allowed.is_about(now);
        let before = std::mem::replace(&mut *allowed, now);
        let before = differs.then_some(before);
        if before.is_some() {
            self.changes.add_one();
        }
        before
    }

    /// How many CPUs' time compute work may use; `None` for all that there is.
    #[inline]
    pub(crate) fn rate(&self) -> Option<f64> {
        // Relaxed: a hint.
        let rate = self.rate.load(Ordering::Relaxed);
        (rate != FREE).then(|| f64::from(rate) / 1000.0)
    }

    pub(crate) fn set_rate(&self, rate: Option<f64>) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of CPUs is between 0 and a million"
        )]
        let rate = rate.map_or(FREE, |rate| (rate * 1000.0).clamp(1.0, 1e9) as u32);
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// Counts what a drainer has done, and returns how long it has to sleep: zero unless compute
    /// work goes faster than at `rate`. `None` if it was not counted: another thread holds the lock,
    /// and may be of a class that gets no CPU time.
    pub(crate) fn spend(&self, spent: Spent, rate: f64, now: Instant) -> Option<Duration> {
        let mut bucket = self.bucket.try_lock().ok()?;
        Some(bucket.spend(spent, rate, now).unwrap_or_default())
    }
}

/// How fast compute work may go under a quota, so that the whole process stays below it: a process
/// that uses its quota up is stopped for the rest of the period, I/O threads included.
#[derive(Debug)]
pub(crate) struct Pacing {
    /// The part of the quota that is given out. It falls while the process is stopped all the same,
    /// for example because calls last longer than a period.
    part: f64,
    /// What compute work got last, in CPUs.
    last: Option<f64>,
}

/// The part of the quota that is given out at first and at most, and at least.
const PART: [f64; 2] = [0.9, 0.3];
/// The least part of the quota that compute work gets, whatever else the process uses.
const LEAST: f64 = 0.1;

impl Default for Pacing {
    fn default() -> Self {
        Self { part: PART[0], last: None }
    }
}

impl Pacing {
    /// How many CPUs' time compute work may use, after a time in which the rest of the process used
    /// `rest` CPUs, and in which the process was stopped in so many periods.
    #[expect(clippy::cast_precision_loss, reason = "a number of periods")]
    pub(crate) fn next(&mut self, quota: f64, rest: f64, stopped: u64, over: Duration) -> f64 {
        // A group's period is a tenth of a second, if nobody has changed that.
        let is_often_stopped = stopped as f64 > over.as_secs_f64();
        let part = if is_often_stopped { self.part * 0.85 } else { self.part + 0.01 };
        self.part = part.clamp(PART[1], PART[0]);
        let wanted = (self.part * quota - rest).max(LEAST * quota);
        // Half of the way, since the rest may be another runtime, which does the same.
        let next = self.last.map_or(wanted, |last| f64::midpoint(last.min(quota), wanted));
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(cpus: usize, quota: Option<f64>) -> Allowed {
        Allowed { cpus, quota }
    }

    #[test]
    fn what_is_allowed_is_said_as_the_tighter_bound() {
        assert_eq!(allowed(2, None).to_string(), "2 CPUs");
        assert_eq!(allowed(2, Some(2.0)).to_string(), "2 CPUs");
        assert_eq!(allowed(1, None).to_string(), "1 CPU");
        assert_eq!(allowed(8, Some(0.5)).to_string(), "a quota of 0.50 CPUs");
    }

    #[test]
    fn a_change_is_counted_once() {
        let budget = CoreBudget::discover();
        let live = LiveBudget::new(&budget);
        let less = allowed(budget.cpus.len(), Some(0.25));
        assert_eq!(live.follow(Allowed::of(&budget)), None);
        assert_eq!(live.follow(less), Some(Allowed::of(&budget)));
        assert_eq!(live.follow(less), None);
        assert_eq!(
            live.follow(Allowed { quota: Some(0.251), ..less }),
            None,
            "as good as the same"
        );
        assert_eq!((live.changes.count(), live.allowed().parallelism()), (1, 1));
    }

    #[test]
    fn compute_gets_what_the_rest_of_the_process_leaves_of_the_quota() {
        let next = |quota, rest| {
            let rate = Pacing::default().next(quota, rest, 0, Duration::from_secs(1));
            format!("{rate:.2}")
        };
        assert_eq!(next(0.5, 0.0), "0.45");
        assert_eq!(next(0.5, 0.25), "0.20");
        assert_eq!(next(0.5, 0.6), "0.05", "a tenth of the quota");
        assert_eq!(next(3.5, 0.15), "3.00");
    }

    #[test]
    fn two_runtimes_share_a_quota_without_swinging() {
        let [mut one, mut two] = [Pacing::default(), Pacing::default()];
        let second = Duration::from_secs(1);
        let mut rates = [0.0, 1.2];
        for _ in 0..8 {
            rates = [one.next(2.0, rates[1], 0, second), two.next(2.0, rates[0], 0, second)];
        }
        let sum = rates[0] + rates[1];
        assert!((1.6..=1.9).contains(&sum), "{rates:?}");
    }

    #[test]
    fn a_process_that_is_stopped_all_the_same_slows_down_further_and_recovers() {
        let mut pacing = Pacing::default();
        let mut next = |stopped| pacing.next(0.5, 0.0, stopped, Duration::from_secs(1));
        assert!(next(1) > 0.44, "once in ten periods is not often");
        let slow = (0..30).map(|_| next(10)).last().expect("30 times");
        assert!((slow - 0.15).abs() < 1e-3, "{slow}");
        let fast = (0..100).map(|_| next(0)).last().expect("100 times");
        assert!((fast - 0.45).abs() < 1e-3, "{fast}");
    }
}
