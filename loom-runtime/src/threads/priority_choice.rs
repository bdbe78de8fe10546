//! When compute work leaves the idle class, and when it goes back.

use std::time::{Duration, Instant};

/// For how many looks in a row a thread must have been starved. There are ten looks a second while a
/// thread may starve.
const STARVED_LOOKS: u32 = 4;
/// The least time at normal priority, at first and at most. It doubles each time that compute work
/// starves soon after it went back, since then the neighbours are still there.
const HOLD: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];
/// The time between two tries to start the threads that the system refused.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// What "soon" means there.
const SOON: Duration = Duration::from_secs(10);
/// Compute work may go back if less than this part of the CPU time was used at all: what is left is
/// what the idle class would have got besides.
const MOST_USED: f64 = 0.8;
/// Or if threads other than compute threads used less than this part.
const MOST_USED_BY_OTHERS: f64 = 0.25;

/// How the CPUs of the budget were used, as parts of their time. Zero where that is not known, so
/// that compute work goes back when its least time at normal priority is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuUse {
    pub(super) all: f64,
    /// By compute threads of any runtime of the process.
    pub(super) compute: f64,
}

/// The choice for one runtime.
#[derive(Debug, Default)]
pub(super) struct PriorityChoice {
    is_normal: bool,
    starved: u32,
    changed: Option<Instant>,
    hold: Option<Duration>,
    /// When it could not leave the idle class.
    failed: Option<Instant>,
}

impl PriorityChoice {
    /// For work that is at normal priority already, or is not.
    pub(super) fn at(is_normal: bool) -> Self {
        Self { is_normal, ..Self::default() }
    }

    /// Whether compute work is at normal priority.
    pub(super) fn is_normal(&self) -> bool {
        self.is_normal
    }

    /// Compute work is in the idle class. Whether it should leave it.
    pub(super) fn should_leave(&mut self, is_starved: bool, now: Instant) -> bool {
        self.starved = if is_starved { self.starved + 1 } else { 0 };
        let may_try = self.failed.is_none_or(|failed| now.duration_since(failed) >= TRY_AGAIN);
        self.starved >= STARVED_LOOKS && may_try
    }

    /// Compute work could not leave the idle class, because the system refused the threads.
    pub(super) fn could_not_leave(&mut self, now: Instant) {
        (self.starved, self.failed) = (0, Some(now));
    }

    /// Compute work is at normal priority. Whether it should go back to the idle class, after a
    /// second in which the CPUs were used like this.
    pub(super) fn should_return(&self, cpus: CpuUse, now: Instant) -> bool {
        let hold = self.hold.unwrap_or(HOLD[0]);
        let is_over = self.changed.is_none_or(|changed| now.duration_since(changed) >= hold);
        let is_free = cpus.all < MOST_USED || cpus.all - cpus.compute < MOST_USED_BY_OTHERS;
        is_over && is_free
    }

    /// Compute work has left the idle class.
    pub(super) fn left(&mut self, now: Instant) {
        let was_soon = self.changed.is_some_and(|back| now.duration_since(back) < SOON);
        let hold = self.hold.filter(|_| was_soon).map_or(HOLD[0], |hold| hold * 2);
        *self = Self {
            is_normal: true,
            changed: Some(now),
            hold: Some(hold.min(HOLD[1])),
            ..Self::default()
        };
    }

    /// It has gone back.
    pub(super) fn returned(&mut self, now: Instant) {
        (self.is_normal, self.starved, self.changed) = (false, 0, Some(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: CpuUse = CpuUse { all: 1.0, compute: 0.5 };
    const UNKNOWN: CpuUse = CpuUse { all: 0.0, compute: 0.0 };
    const SLACK: CpuUse = CpuUse { all: 0.7, compute: 0.1 };
    const ALONE: CpuUse = CpuUse { all: 1.0, compute: 0.9 };

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn four_starved_looks_in_a_row_are_enough_and_three_are_not() {
        let (mut choice, now) = (PriorityChoice::default(), Instant::now());
        for is_starved in [true, true, true, false, true, true, true] {
            assert!(!choice.should_leave(is_starved, now));
        }
        assert!(choice.should_leave(true, now));
    }

    #[test]
    fn it_tries_again_after_a_minute_where_the_system_refused() {
        let (mut choice, start) = (PriorityChoice::default(), Instant::now());
        choice.could_not_leave(start);
        let mut tries = (0..100).map(|second| choice.should_leave(true, at(start, second)));
        assert_eq!(tries.position(|may_try| may_try), Some(60));
    }

    #[test]
    fn it_returns_when_cpu_time_is_left_or_only_compute_uses_it() {
        let (mut choice, start) = (PriorityChoice::default(), Instant::now());
        choice.left(start);
        assert!(choice.is_normal());
        for cpus in [SLACK, ALONE, UNKNOWN] {
            assert!(!choice.should_return(cpus, at(start, 1)), "too early");
            assert!(choice.should_return(cpus, at(start, 2)), "{cpus:?}");
        }
        assert!(!choice.should_return(BUSY, at(start, 100)));
        choice.returned(at(start, 3));
        assert!(!choice.is_normal());
    }

    #[test]
    fn it_holds_longer_each_time_that_it_starves_again_soon() {
        let (mut choice, mut now) = (PriorityChoice::default(), Instant::now());
        for hold in [2, 4, 8, 16, 32, 60, 60] {
            choice.left(now);
            assert!(!choice.should_return(SLACK, at(now, hold - 1)));
            now = at(now, hold);
            assert!(choice.should_return(SLACK, now), "{hold} s");
            choice.returned(now);
            now = at(now, 1);
        }
        now = at(now, 10);
        choice.left(now);
        assert!(choice.should_return(SLACK, at(now, 2)), "a new neighbour");
    }
}
