//! Whether queued work gets to run.
//!
//! Compute threads of the idle class run only on a CPU that no thread of normal priority wants. A
//! neighbour that never sleeps starves them. Blocking functions wait without end where the system
//! refuses their threads. Neither thread can notice this itself, so the keeper checks.

use std::time::Duration;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Weak};
use crate::topology::os::{self, TimeOnCpu};

use crate::core::Core;

use super::warn::{threads_were_refused, try_thread, warn_once};

/// How often the keeper looks while there is work.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// A thread that was ready all the time and ran for less than this was starved. The kernel
/// leaves an idle-class thread three parts in a thousand beside one normal one.
const LEAST: Duration = Duration::from_millis(1);
/// How many ticks in a row before it is said.
const WARN_AFTER: u32 = 10;
/// Each look reads two files a thread; neighbours starve the threads of a machine alike.
const MOST_WATCHED: usize = 8;

/// One core, as the keeper saw it last.
pub(crate) struct WatchedCore {
    core: Weak<Core>,
    threads: Vec<Thread>,
    /// Ticks in which no blocking function got a thread though some waited.
    stuck: u32,
    queued: usize,
    /// Compute calls that had been run, and since when there have been as many while others
    /// wait, if they do.
    run: u64,
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

    /// Looks once; false when there is nothing to look after any more.
    pub(crate) fn is_still_needed(&mut self) -> bool {
        let Some(core) = self.core.upgrade() else { return false };
        let queued = core.blocking_queued.load(Ordering::Relaxed);
        self.look_at_line(&core);
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
        self.look_at_blocking(&core, queued);
        true
    }

    /// Records in the backlog since when calls have waited and none has ended.
    fn look_at_line(&mut self, core: &Core) {
        let run = core.counters.run.count();
        let is_still = core.queue.waiting() > 0 && run == self.run;
        core.backlog.stalls(self.still_since.filter(|_| is_still));
        let since = self.still_since.filter(|_| is_still).or_else(|| Some(core.now()));
        self.still_since = since.filter(|_| core.queue.waiting() > 0);
        self.run = run;
    }

    fn look_at_blocking(&mut self, core: &Arc<Core>, queued: usize) {
        // Any that got a thread since shows that there are threads.
        let is_stuck = queued > 0 && queued >= self.queued;
        self.stuck = if is_stuck { self.stuck + 1 } else { 0 };
        self.queued = queued;
        // Tokio asks the system for a thread only when it is given a function, so it is
        // given one that does nothing; less and less often, since the queue may be as long
        // as it is because all threads that it may have are busy.
        if self.stuck.is_power_of_two() && self.stuck > 1 {
            match try_thread() {
                Err(error) => threads_were_refused(core, &error),
                Ok(()) => drop(core.tokio.get().map(|tokio| tokio.spawn_blocking(|| ()))),
            }
        }
    }
}

impl Thread {
    /// Whether it was ready to run since the last look, and did not.
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
