//! Checks whether queued work gets to run.
//!
//! Compute threads of the idle class run only on a CPU that no thread of normal priority wants. A
//! normal thread that never sleeps starves them, whether it belongs to this process or not.
//! Blocking functions wait without end where the system refuses their threads. In both cases the
//! threads that would do the work cannot notice this themselves, so the keeper checks.

use std::time::Duration;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Weak};
use crate::topology::os::{self, TimeOnCpu};

use crate::core::Core;

use super::warn::{threads_were_refused, try_thread, warn_once};

/// The time between two checks of the keeper while there is work.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// A thread that was ready at both ends of a tick and ran for less than this counts as starved. The
/// kernel gives an idle-class thread 0.3 % of a CPU that it shares with one normal thread.
const LEAST: Duration = Duration::from_millis(1);
/// After how many ticks in a row a starved thread is reported.
const WARN_AFTER: u32 = 10;
/// A check reads two files per thread, so at most this many threads of a core are watched. They
/// stand for the others: threads of normal priority starve all compute threads alike.
const MOST_WATCHED: usize = 8;

/// One core, as the keeper saw it at the last check.
pub(crate) struct WatchedCore {
    core: Weak<Core>,
    threads: Vec<Thread>,
    /// For how many ticks in a row blocking functions waited and none got a thread.
    stuck: u32,
    queued: usize,
    /// How many compute calls had been run.
    run: u64,
    /// Since when calls have waited and that number has not changed; `None` if no call waits.
    still_since: Option<u64>,
}

struct Thread {
    id: u32,
    name: String,
    last: Option<TimeOnCpu>,
    starved: u32,
}

impl WatchedCore {
    pub(crate) fn new(core: Weak<Core>) -> Self {
        let mut threads = Vec::new();
        if let Some(placements) =
            core.upgrade().as_ref().and_then(|core| core.compute_placements.get())
        {
            let idle = || placements.iter().filter(|thread_plan| thread_plan.class.is_idle);
            let step = idle().count().div_ceil(MOST_WATCHED).max(1);
            threads = idle()
                .step_by(step)
                .filter_map(|thread_plan| {
                    Some(Thread {
                        id: thread_plan.id?,
                        name: thread_plan.name.clone(),
                        last: None,
                        starved: 0,
                    })
                })
                .collect();
        }
        Self { core, threads, stuck: 0, queued: 0, run: 0, still_since: None }
    }

    /// Checks once. Returns false when the core no longer needs to be watched.
    pub(crate) fn is_still_needed(&mut self) -> bool {
        let Some(core) = self.core.upgrade() else { return false };
        let queued = core.blocking_queued.load(Ordering::Relaxed);
        self.check_queue(&core);
        if core.in_flight() == 0 && queued == 0 {
            return !core.may_be_left_alone();
        }
        for thread in &mut self.threads {
            if thread.was_starved() {
                core.counters.starved.add_one();
                if thread.starved == WARN_AFTER {
                    warn_starved(&thread.name);
                }
            }
        }
        self.check_blocking(&core, queued);
        true
    }

    /// Records in the backlog since when calls have waited and none has ended.
    fn check_queue(&mut self, core: &Core) {
        let run = core.counters.run.count();
        let is_still = core.queue.waiting() > 0 && run == self.run;
        core.backlog.stalls(self.still_since.filter(|_| is_still));
        let since = self.still_since.filter(|_| is_still).or_else(|| Some(core.now()));
        self.still_since = since.filter(|_| core.queue.waiting() > 0);
        self.run = run;
    }

    fn check_blocking(&mut self, core: &Arc<Core>, queued: usize) {
        // If fewer wait than at the last check, some function got a thread.
        let is_stuck = queued > 0 && queued >= self.queued;
        self.stuck = if is_stuck { self.stuck + 1 } else { 0 };
        self.queued = queued;
        // Tokio asks the system for a thread only when a function is spawned, so the keeper spawns
        // one that does nothing. It does so less and less often: the functions may also wait
        // because tokio has as many threads as it may have, and all are busy.
        if self.stuck.is_power_of_two() && self.stuck > 1 {
            match try_thread() {
                Err(error) => threads_were_refused(core, &error),
                Ok(()) => drop(core.tokio.get().map(|tokio| tokio.spawn_blocking(|| ()))),
            }
        }
    }
}

impl Thread {
    /// Whether the thread was ready to run at the last check and is now, and hardly ran between.
    fn was_starved(&mut self) -> bool {
        let now = os::time_on_cpu(self.id);
        let before = std::mem::replace(&mut self.last, now);
        let starved = before.zip(now).is_some_and(|(before, now)| {
            before.is_runnable && now.is_runnable && now.since(before) < LEAST
        });
        self.starved = if starved { self.starved + 1 } else { 0 };
        starved
    }
}

fn warn_starved(thread: &str) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    warn_once(
        &WARNED,
        &format!(
            "thread `{thread}` has work and got no CPU for a second: threads of normal priority, \
             of this process or its neighbours, take all of it; where they always do, set \
             `compute_priority` to `nice` or `normal`"
        ),
    );
}
