//! Checks whether queued work gets to run, while there is work.
//!
//! Compute threads of the idle class run only on a CPU that no thread of normal priority wants.
//! Blocking functions wait without end where the system refuses their threads. In both cases the
//! threads that would do the work cannot notice this themselves, so the keeper checks.

use std::any::Any;
use std::time::Duration;

use crate::sync::atomic::AtomicBool;
use crate::sync::{Arc, PoisonError, Weak};

use crate::core::{Core, Pools};

use super::auto_priority::AutoPriority;
use super::budget_watch::{BudgetWatch, drainer_limit, limit_drainers};
use super::drainer;
use super::keeper::{self, PAUSE, SHORT_PAUSE, Watched};
use super::probe::start_short;
use super::warn::{threads_were_refused, try_thread, warn_once};

/// Counts a compute call, makes the keeper watch its core, and returns how many calls were in
/// flight before.
pub(crate) fn begin_call(core: &Arc<Core>) -> usize {
    let before = core.count_call();
    watch_while_busy(core);
    core.owner.begin_call();
    before
}

/// Runs `f` on the nearest pool itself, while the keeper watches the core.
pub(crate) fn install<R: Send>(core: &Arc<Core>, pools: &Pools, f: impl FnOnce() -> R + Send) -> R {
    let install = core.installs.begin();
    watch_while_busy(core);
    install.run(pools, f)
}

/// Makes the keeper watch a core that has work, until the work has ended.
pub(crate) fn watch_while_busy(core: &Arc<Core>) {
    if core.needs_a_watch() && keeper::watch(core, WatchedCore::of).is_err() {
        core.is_not_watched();
    }
}

/// For how many looks in a row no call may end while the number of drainers is limited.
const STILL_LOOKS: u32 = 10;

/// One core, as the keeper saw it at the last look.
struct WatchedCore {
    core: Weak<Core>,
    measured: Measured,
    /// For how many looks in a row blocking functions waited and none got a thread.
    stuck: u32,
    queued: usize,
    /// How many compute calls had been run.
    run: u64,
    /// Since when calls have waited and that number has not changed; `None` if no call waits.
    still_since: Option<u64>,
    still_looks: u32,
    /// Whether more drainers may be up than the budget allows.
    is_lifted: bool,
}

/// What is kept while the core has no work, since work often comes in bursts.
#[derive(Default)]
struct Measured {
    priority: AutoPriority,
    budget: BudgetWatch,
}

impl Watched for WatchedCore {
    fn look(&mut self) -> Option<Duration> {
        let core = self.core.upgrade()?;
        // A drainer may have got no CPU while it holds them, or a call may wait for what one of the
        // tasks does next.
        core.wake_held();
        let queued = core.blocking_queued.count();
        let is_still = self.check_queue(&core);
        if !core.has_work() {
            return (!core.may_be_left_alone()).then_some(PAUSE);
        }
        // A thread of a process that is stopped looks like one that is starved.
        let was_stopped = self.measured.budget.check(&core);
        let may_starve = self.measured.priority.check(&core, was_stopped, warn_starved);
        self.check_drainers(&core, is_still);
        self.check_blocking(&core, queued);
        let is_urgent = is_still || may_starve || queued > 0;
        Some(if is_urgent { SHORT_PAUSE } else { PAUSE })
    }

    fn leave(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.is_not_watched();
        }
    }
}

impl Drop for WatchedCore {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            let mut measured = std::mem::take(&mut self.measured);
            measured.priority.end();
            *core.measured.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Box::new(measured));
        }
    }
}

impl WatchedCore {
    fn of(weak: Weak<Core>) -> Box<dyn Watched> {
        let core = weak.upgrade();
        let kept = core
            .as_ref()
            .and_then(|core| core.measured.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut measured = match kept.map(<Box<dyn Any + Send>>::downcast::<Measured>) {
            Some(Ok(kept)) => *kept,
            _ => Measured {
                priority: core.as_ref().map(|core| AutoPriority::of(core)).unwrap_or_default(),
                budget: BudgetWatch::default(),
            },
        };
        measured.priority.begin();
        measured.budget.begin();
        if let Some(core) = &core {
            measured.budget.check(core);
        }
        Box::new(Self {
            core: weak,
            measured,
            stuck: 0,
            queued: 0,
            run: 0,
            still_since: None,
            still_looks: 0,
            is_lifted: false,
        })
    }

    /// Lets every compute thread run while calls wait and none ends although the budget limits the
    /// drainers: those that run may wait for those that do not. Otherwise fetches the drainers that
    /// a submitter has left out.
    fn check_drainers(&mut self, core: &Arc<Core>, is_still: bool) {
        self.still_looks = if is_still { self.still_looks + 1 } else { 0 };
        let limit = drainer_limit(core, core.live_budget.allowed());
        let is_lifted = limit < core.compute_threads && self.still_looks >= STILL_LOOKS
            || self.is_lifted && is_still;
        let limit = if is_lifted { core.compute_threads } else { limit };
        self.is_lifted = is_lifted;
        limit_drainers(core, limit);
        if is_still {
            // A drainer that counts as searching may be held up, in a waker that was taken for short.
            core.queue.open_despite_search();
            drainer::fetch_from_all(core);
        }
    }

    /// Records in the backlog since when calls have waited and none has ended. Returns whether
    /// that was so at this look.
    fn check_queue(&mut self, core: &Core) -> bool {
        let run = core.counters.run.count();
        let is_still = core.queue.waiting() > 0 && run == self.run;
        core.backlog.stalls(self.still_since.filter(|_| is_still));
        let since = self.still_since.filter(|_| is_still).or_else(|| Some(core.now()));
        self.still_since = since.filter(|_| core.queue.waiting() > 0);
        self.run = run;
        is_still
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
                Ok(()) => spawn_nothing(core),
            }
        }
    }
}

/// On a thread of its own: tokio names the thread that it starts, which may be code of the user.
fn spawn_nothing(core: &Arc<Core>) {
    let Some(tokio) = core.tokio.get().cloned() else { return };
    let spawn = move || drop(tokio.spawn_blocking(|| ()));
    // If the system refuses this thread after all, the next look tries again.
    let _ = start_short(core, "loom-spawn", spawn);
}

fn warn_starved(thread: &str) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    warn_once(
        &WARNED,
        &format!(
            "thread `{thread}` has work and got no CPU for a second: threads of normal priority, \
             of this process or its neighbours, take all of it; where they always do, set \
             `compute_priority` to `auto` or `normal`"
        ),
    );
}
