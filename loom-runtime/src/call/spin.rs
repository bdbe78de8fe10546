//! Waiting on the spot for a call that is about to end, where nobody is kept waiting by it.

use std::cell::Cell;
use std::hint;
use std::ptr;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::bridge::Call;

/// Which tasks poll calls on a thread: where they take turns, others have something to do
/// while one waits.
#[derive(Clone, Copy)]
pub(super) struct PollHistory {
    task: *const (),
    /// CallOptions often it polled in a row.
    in_a_row: u32,
    /// CallOptions many polls it has to be for before it counts as alone.
    until_alone: u32,
}

impl PollHistory {
    /// After how many polls in a row a task that never has to wait lets others come.
    const LONGEST_ROW: u32 = 64;

    /// Takes in one poll of this task: whether it is alone, and whether it should let others
    /// come, so as to find that out.
    pub(super) fn poll(cx: &Context<'_>) -> (bool, bool) {
        thread_local! {
            static HISTORY: Cell<PollHistory> =
                const { Cell::new(PollHistory { task: ptr::null(), in_a_row: 0, until_alone: 0 }) };
        }
        let mut history = HISTORY.get();
        let task = cx.waker().data();
        if history.task == task {
            history.in_a_row += 1;
            history.until_alone = history.until_alone.saturating_sub(1);
        } else {
            history = Self { task, in_a_row: 0, until_alone: 2 * Self::LONGEST_ROW };
        }
        let has_had_its_turn = history.in_a_row >= Self::LONGEST_ROW;
        if has_had_its_turn {
            history.in_a_row = 0;
        }
        HISTORY.set(history);
        (history.until_alone == 0, has_had_its_turn)
    }
}

/// Looks for a result that may come sooner than this thread could go to sleep and be woken.
///
/// Where that was in vain it is left out for a while, longer and longer.
pub(super) fn spin_briefly<R>(call: &Call<R>) {
    /// CallOptions long until a thread that was looking should have started: it may just have had to
    /// let another I/O worker have its CPU for a moment.
    const START: Duration = Duration::from_micros(20);
    /// CallOptions long a short call may take from there on.
    const END: Duration = Duration::from_micros(2);
    const MOST_LEFT_OUT: u32 = 64;
    thread_local! {
        /// CallOptions many waits to leave out, and how many to leave out after the next failure.
        static LEAVE_OUT: Cell<(u32, u32)> = const { Cell::new((0, 1)) };
    }
    let (left, next) = LEAVE_OUT.get();
    if left > 0 {
        return LEAVE_OUT.set((left - 1, next));
    }
    let since = Instant::now();
    let mut started = None;
    loop {
        for _ in 0..16 {
            if call.is_done() {
                return LEAVE_OUT.set((0, 1));
            }
            hint::spin_loop();
        }
        let waited = since.elapsed();
        if call.has_started() {
            started.get_or_insert(waited);
        }
        if waited > started.map_or(START, |started| started + END) {
            return LEAVE_OUT.set((next, (next * 2).min(MOST_LEFT_OUT)));
        }
    }
}
