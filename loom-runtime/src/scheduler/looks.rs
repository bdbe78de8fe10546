//! How long a run took of its own: without the time in which its thread was ready to run and had no
//! CPU.
//!
//! Neighbours that take the CPU away make a run look long. On an I/O worker it would not be: the
//! system's scheduler gives that thread the next CPU. A thread that gave its CPU up, for a lock or a
//! file, does wait there as long, so such time counts.
//!
//! What a thread used is read on either side of a run, which takes about a microsecond. So only some
//! runs are looked at: the first ones of a function, long ones, one in eight on the pool, and many in a
//! row once a run took far longer than usual. That one run, which nobody looked at, counts only if
//! another one of these turns out to be as long of its own.

use std::time::Duration;

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::times::duration;

/// So many runs are looked at after an unusual one. A function that is unusual once in a hundred calls
/// is nearly always looked at then, so a rare long call is not lost.
const WATCHED: u32 = 256;
/// From this run time on, in nanoseconds, each run is looked at: it costs a hundredth at most.
pub(super) const LOOKED_AT: f64 = 100e3;
/// One in so many of the other runs on the pool is looked at.
const ONE_IN: u64 = 8;
/// Counts are halved here, so that what is told of waits is of late.
const REMEMBERED: u64 = 1024;

/// How long a run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) took: Duration,
    pub(crate) used: Used,
}

/// What a thread used during a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Used {
    /// Nobody looked.
    Unknown,
    /// The system cannot tell, or the program has told how long the run took.
    All,
    /// This CPU time, and so often it gave its CPU up to wait.
    Cpu(Duration, u64),
}

impl Run {
    /// A run whose whole time is its own.
    pub(crate) fn of(took: Duration) -> Self {
        Self { took, used: Used::All }
    }

    /// A run of so many nanoseconds, all its own.
    pub(crate) fn of_nanos(nanos: f64) -> Self {
        Self::of(duration(nanos))
    }

    pub(super) fn nanos(self) -> f64 {
        self.took.as_secs_f64() * 1e9
    }
}

/// How often the thread of a run waited, of the runs that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Waits {
    /// Runs that were looked at; about the last thousand count.
    pub looked_at: u64,
    /// Those whose thread gave up its CPU to wait, as for a lock, a file or another thread.
    pub waited: u64,
    /// How long these waited on average.
    pub mean: Duration,
}

/// All `Relaxed`: statistics, which publish nothing.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// How many runs are still to be looked at.
    left: AtomicU32,
    /// The unusual run that nobody looked at, as the bits of its nanoseconds; 0 if there is none.
    open: AtomicU64,
    turn: AtomicU64,
    looked_at: AtomicU64,
    waited: AtomicU64,
    /// In nanoseconds.
    waiting: AtomicU64,
}

impl Looks {
    /// Whether a run is to be looked at that is expected to take so long, on the pool or inline.
    pub(super) fn is_due(&self, expected: f64, is_on_pool: bool) -> bool {
        if expected >= LOOKED_AT || self.left.load(Ordering::Relaxed) > 0 {
            return true;
        }
        // Not a read-modify-write, as everywhere here: a turn that is lost to another thread is none.
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        is_on_pool && turn.is_multiple_of(ONE_IN)
    }

    /// The nanoseconds that a run took of its own, and those of an earlier run that counts only now.
    /// `None` if they are not known: the run took far longer than is usual, and nobody looked.
    pub(super) fn own(
        &self,
        run: Run,
        is_unusual: impl Fn(f64) -> bool,
    ) -> Option<(f64, Option<f64>)> {
        let took = run.nanos();
        let own = match run.used {
            Used::All => took,
            Used::Unknown => {
                if is_unusual(took) {
                    self.left.store(WATCHED, Ordering::Relaxed);
                    self.open.store(took.to_bits(), Ordering::Relaxed);
                    return None;
                }
                return Some((took, None));
            }
            Used::Cpu(cpu, waits) => self.note(took, cpu.as_secs_f64() * 1e9, waits),
        };
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Some((own, None));
        }
        let is_long = is_unusual(own);
        self.left.store(if is_long { WATCHED } else { left - 1 }, Ordering::Relaxed);
        // If the run of then was preempted, so was the next one that looks like it.
        let is_decided = is_unusual(took) || left == 1;
        let open = if is_decided { self.open.swap(0, Ordering::Relaxed) } else { 0 };
        let before = (is_long && open != 0).then(|| f64::from_bits(open));
        Some((own, before))
    }

    fn note(&self, took: f64, cpu: f64, waits: u64) -> f64 {
        let looked_at = self.looked_at.load(Ordering::Relaxed) + 1;
        self.looked_at.store(looked_at, Ordering::Relaxed);
        if looked_at >= REMEMBERED {
            for count in [&self.looked_at, &self.waited, &self.waiting] {
                count.store(count.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
            }
        }
        if waits == 0 {
            return cpu.min(took);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let waited = (took - cpu).max(0.0) as u64;
        self.waited.store(self.waited.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let all = self.waiting.load(Ordering::Relaxed).saturating_add(waited);
        self.waiting.store(all, Ordering::Relaxed);
        took
    }

    pub(super) fn waits(&self) -> Waits {
        let [looked_at, waited, waiting] = [&self.looked_at, &self.waited, &self.waiting]
            .map(|count| count.load(Ordering::Relaxed));
        // Two threads may have counted at once.
        let waited = waited.min(looked_at);
        Waits { looked_at, waited, mean: Duration::from_nanos(waiting / waited.max(1)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: f64 = 1e3;

    fn looked(took: f64, cpu: f64, waits: u64) -> Run {
        let used = Used::Cpu(duration(cpu), waits);
        Run { used, ..Run::of_nanos(took) }
    }

    #[test]
    fn time_without_a_cpu_is_not_the_runs_own_and_a_wait_is() {
        let looks = Looks::default();
        let own = |run| looks.own(run, |_| false).map(|(own, _)| own.round());
        assert_eq!(own(Run::of_nanos(50.0 * US)), Some(50.0 * US));
        assert_eq!(own(looked(5000.0 * US, 40.0 * US, 0)), Some(40.0 * US));
        assert_eq!(own(looked(5000.0 * US, 40.0 * US, 1)), Some(5000.0 * US));
        let shorter = own(looked(39.0 * US, 40.0 * US, 0));
        assert_eq!(shorter, Some(39.0 * US), "two clocks differ a little");
        let expected = Waits { looked_at: 3, waited: 1, mean: Duration::from_micros(4960) };
        assert_eq!(looks.waits(), expected);
    }

    #[test]
    fn what_is_unusual_is_looked_at_before_it_counts() {
        let looks = Looks::default();
        let is_long = |nanos: f64| nanos > 100.0 * US;
        let unseen = |nanos| Run { used: Used::Unknown, ..Run::of_nanos(nanos) };
        let own = |run| {
            looks.own(run, is_long).map(|(own, before)| (own.round(), before.map(f64::round)))
        };
        assert_eq!(own(unseen(5.0 * US)), Some((5.0 * US, None)));
        assert!(!looks.is_due(5.0 * US, false));
        assert_eq!(own(unseen(3000.0 * US)), None);
        for _ in 0..WATCHED {
            assert!(looks.is_due(5.0 * US, false));
            assert_eq!(own(looked(3000.0 * US, 5.0 * US, 0)), Some((5.0 * US, None)));
        }
        assert!(!looks.is_due(5.0 * US, false), "all of them were preempted");
        assert_eq!(own(unseen(3000.0 * US)), None);
        assert_eq!(own(looked(5.0 * US, 5.0 * US, 0)), Some((5.0 * US, None)));
        let both = Some((2000.0 * US, Some(3000.0 * US)));
        assert_eq!(own(looked(2000.0 * US, 2000.0 * US, 0)), both, "it does take that long");
        assert_eq!(own(looked(2000.0 * US, 2000.0 * US, 0)), Some((2000.0 * US, None)));
    }

    #[test]
    fn long_runs_and_one_in_eight_on_the_pool_are_looked_at() {
        let looks = Looks::default();
        assert!((0..20).all(|_| looks.is_due(LOOKED_AT, false)));
        let due = (0..80).filter(|_| looks.is_due(US, true)).count();
        assert_eq!(due, 10);
    }
}
