//! Spins briefly for a call that is about to end, where no other task is known to want the thread.
//!
//! A thread that spins for at most as long as it would take to go to sleep and to be woken spends at
//! most twice the time that the better of the two takes (Karlin et al., "Competitive snoopy caching",
//! 1988). Where the run time of the call is known, most waits that do not pay are not begun.

use std::cell::Cell;
use std::hint;
use std::ptr;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::bridge::Call;
use crate::core::Core;
use crate::sync::thread::LocalKey;

/// Which tasks poll calls on a thread. Where several tasks alternate, the thread has other tasks to
/// run while one of them waits.
#[derive(Clone, Copy)]
pub(super) struct PollHistory {
    task: *const (),
    /// How often this task polled in a row.
    in_a_row: u32,
    /// How many more polls in a row this task needs before it counts as alone.
    until_alone: u32,
    /// How long this thread has spun since a task last did without.
    spun: Duration,
}

impl PollHistory {
    /// After so many polls in a row, a task that never waits does not spin, and other tasks get a turn.
    const LONGEST_ROW: u32 = 64;
    /// And after it has spun for so long: tasks that make no calls are not in the history.
    const LONGEST_SPINS: Duration = Duration::from_micros(100);

    fn of_thread() -> &'static LocalKey<Cell<Self>> {
        thread_local! {
            static HISTORY: Cell<PollHistory> = const {
                Cell::new(PollHistory {
                    task: ptr::null(),
                    in_a_row: 0,
                    until_alone: 0,
                    spun: Duration::ZERO,
                })
            };
        }
        &HISTORY
    }

    /// Records one poll of this task. Returns whether the task is alone on this thread, and whether
    /// it has to wait without a spin now, so that other tasks show up if there are any.
    pub(super) fn poll(cx: &Context<'_>) -> (bool, bool) {
        let mut history = Self::of_thread().get();
        let task = cx.waker().data();
        if history.task == task {
            history.in_a_row += 1;
            history.until_alone = history.until_alone.saturating_sub(1);
        } else {
            let until_alone = 2 * Self::LONGEST_ROW;
            history = Self { task, in_a_row: 0, until_alone, spun: history.spun };
        }
        let has_had_its_turn =
            history.in_a_row >= Self::LONGEST_ROW || history.spun >= Self::LONGEST_SPINS;
        if has_had_its_turn {
            (history.in_a_row, history.spun) = (0, Duration::ZERO);
        }
        Self::of_thread().set(history);
        (history.until_alone == 0, has_had_its_turn)
    }

    fn spun(time: Duration) {
        let history = Self::of_thread().get();
        Self::of_thread().set(Self { spun: history.spun + time, ..history });
    }
}

/// How long a call of unknown length may take once it has started.
const UNKNOWN: Duration = Duration::from_micros(2);

/// How long to spin once a call has started that is expected to take so many microseconds; `None` if
/// a spin does not pay.
pub(super) fn patience(core: &Core, micros: Option<u32>) -> Option<Duration> {
    let Some(micros) = micros else { return Some(UNKNOWN) };
    let wake = core.wake_time();
    (Duration::from_micros(micros.into()) <= wake).then(|| wake.max(UNKNOWN))
}

/// How long to spin for lent work that is expected to take so many microseconds, before the worker is
/// given to another thread; `None` if a spin does not pay. Another thread has to be woken for the
/// worker, and later this one.
pub(super) fn lent_patience(core: &Core, micros: Option<u32>) -> Option<Duration> {
    /// Where nothing is known: the parallel work may need this CPU, too.
    const UNKNOWN: Duration = Duration::from_micros(4);
    let Some(micros) = micros else { return Some(UNKNOWN) };
    let wakes = 2 * core.wake_time();
    (Duration::from_micros(micros.into()) <= wakes).then(|| wakes.max(UNKNOWN))
}

/// Spins for a result that may come sooner than this thread could go to sleep and be woken: for
/// `patience` once the call has started.
///
/// After a spin without a result, the next waits do not spin: their number doubles with each
/// failure, up to 64.
pub(super) fn spin_briefly<R>(call: &Call<R>, patience: Duration) {
    /// How long a searching drainer may need to start the call: another I/O worker may have taken
    /// its CPU for a moment.
    const START: Duration = Duration::from_micros(20);
    const MOST_SKIPPED: u32 = 64;
    thread_local! {
        /// How many waits still skip the spin, and how many skip it after the next failure.
        static SKIP: Cell<(u32, u32)> = const { Cell::new((0, 1)) };
    }
    let (left, next) = SKIP.get();
    if left > 0 {
        return SKIP.set((left - 1, next));
    }
    let since = Instant::now();
    let mut waited = Duration::ZERO;
    let mut started = None;
    loop {
        for _ in 0..16 {
            if call.is_done() {
                PollHistory::spun(waited);
                return SKIP.set((0, 1));
            }
            hint::spin_loop();
        }
        waited = since.elapsed();
        if call.has_started() {
            started.get_or_insert(waited);
        }
        if waited > started.map_or(START, |started| started + patience) {
            PollHistory::spun(waited);
            return SKIP.set((next, (next * 2).min(MOST_SKIPPED)));
        }
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_task_that_has_spun_for_long_has_had_its_turn() {
        let has_had_its_turn = || PollHistory::poll(&Context::from_waker(Waker::noop())).1;
        let half = PollHistory::LONGEST_SPINS / 2;
        assert!(!has_had_its_turn());
        PollHistory::spun(half);
        assert!(!has_had_its_turn());
        PollHistory::spun(half);
        assert!(has_had_its_turn());
        assert!(!has_had_its_turn(), "it counts anew");
    }
}
