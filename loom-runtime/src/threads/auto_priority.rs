//! Moves compute work between the idle class and normal priority (`compute_priority = "auto"`).
//!
//! A thread of the idle class cannot leave it without a privilege, so compute work moves instead:
//! from now on drainers run on the second pool, whose threads have normal priority. The drainers of
//! the first pool are superseded (`bridge/README.md`). `priority_choice.rs` decides; this module
//! measures, and makes the move.

use std::time::{Duration, Instant};

use rayon::ThreadPool;

use crate::core::{Core, Pools};
use crate::error::Result as Built;
use crate::sync::atomic::AtomicBool;
use crate::sync::{Arc, mpsc};
use crate::topology::{ComputePriority, ThreadPlacement};

use super::compute::start_rayon;
use super::cpu_use::CpuReading;
use super::drainer;
use super::priority_choice::PriorityChoice;
use super::probe::probe;
use super::starvation::{Looked, WatchedThreads};
use super::warn::{say, warn_once};

/// The time between two readings of what the CPUs did.
const PAUSE: Duration = Duration::from_secs(1);
/// A reading that is older when compute work comes back says nothing of what happens now.
const OLDEST: Duration = Duration::from_secs(5);
/// After how many looks in a row a starved thread is reported.
const WARN_AFTER: u32 = 10;

/// What the keeper keeps of one core.
#[derive(Default)]
pub(super) struct AutoPriority {
    choice: PriorityChoice,
    /// The threads of the idle class in the first pool.
    idle: WatchedThreads,
    /// What compute work got, at the last look while it was starved under a quota.
    got: Option<Got>,
    /// What the CPUs did, at the last reading since compute work left the idle class.
    last: Option<CpuReading>,
    /// The second pool, while its threads start.
    starting: Option<Starting>,
}

struct Got {
    at: Instant,
    ran: Duration,
}

impl AutoPriority {
    pub(super) fn of(core: &Core) -> Self {
        let first = core.compute_placements.first().iter();
        let idle: Vec<_> = first.filter(|placement| placement.class.is_idle).collect();
        let is_normal = core.pools().is_some_and(|pools| pools.uses_second());
        let choice = PriorityChoice::at(is_normal);
        Self { choice, idle: WatchedThreads::of(&idle), ..Self::default() }
    }

    /// Begins to watch: a first look, which the next one is compared with.
    pub(super) fn begin(&mut self) {
        let now = Instant::now();
        self.idle.begin(now);
        self.got = None;
        // Work that comes in short bursts goes back, too; what was long ago says nothing.
        self.last.take_if(|last| now - last.at > OLDEST);
    }

    /// Ends the watch for now.
    pub(super) fn end(&mut self) {
        self.idle.close_files();
        // The threads of the second pool keep the core alive, so the core must not keep the pool.
        self.starting = None;
    }

    /// Looks once, and moves the work if need be. Where it is not to be moved, calls `warn` with the
    /// name of a thread that has starved for a second. Returns whether a thread starves, or may.
    pub(super) fn check(
        &mut self,
        core: &Arc<Core>,
        was_stopped: bool,
        warn: impl FnOnce(&str),
    ) -> bool {
        let now = Instant::now();
        if self.choice.is_normal() {
            self.check_return(core, now);
            return false;
        }
        let Looked { starved, is_suspicious, for_long } = self.idle.look(now, WARN_AFTER);
        // While the system stops the process, its threads look starved.
        let starved = if was_stopped && !self.got_too_little(core, now) { 0 } else { starved };
        core.counters.starved.add(starved);
        if core.plan.adapts_priority {
            self.check_leave(core, starved > 0, now);
        } else if let Some(thread) = for_long.filter(|_| starved > 0) {
            warn(&thread);
        }
        is_suspicious
    }

    /// Under a quota, compute work that nobody starves gets what the quota allows. Whether it got
    /// less than a tenth of that since the last look at which it looked starved.
    fn got_too_little(&mut self, core: &Core, now: Instant) -> bool {
        let got = Got { at: now, ran: core.compute_ids.cpu_time() };
        let ran = got.ran;
        let Some(before) = self.got.replace(got) else { return false };
        let allowed = core.live_budget.allowed().cpu_time() * (now - before.at).as_secs_f64();
        ran.saturating_sub(before.ran).as_secs_f64() < allowed / 10.0
    }

    fn check_return(&mut self, core: &Arc<Core>, now: Instant) {
        if self.last.as_ref().is_some_and(|last| now - last.at < PAUSE) {
            return;
        }
        let before = self.last.replace(CpuReading::now(core, now));
        let cpu_use =
            self.last.as_ref().zip(before).and_then(|(after, before)| after.since(&before));
        if cpu_use.is_some_and(|cpus| self.choice.should_return(cpus, now))
            && move_work(core, ComputePriority::Idle)
        {
            self.choice.returned(now);
            self.last = None;
            self.idle.begin(now);
        }
    }

    fn check_leave(&mut self, core: &Arc<Core>, is_starved: bool, now: Instant) {
        static WARNED: AtomicBool = AtomicBool::new(false);
        if !self.choice.should_leave(is_starved, now) {
            return;
        }
        let Some(pools) = core.pools() else { return };
        match self.have_second(core, &pools) {
            // The threads start, or drainers of the last change have not left: a later look moves.
            Ok(false) => {}
            Ok(true) => {
                if move_work(core, ComputePriority::Normal) {
                    self.choice.left(now);
                }
            }
            Err(why) => {
                self.choice.could_not_leave(now);
                warn_once(
                    &WARNED,
                    &format!(
                        "compute work stays at idle priority, where it gets no CPU time: {why}"
                    ),
                );
            }
        }
    }

    /// Whether there is a second pool, whose threads have normal priority. Begins to start it if
    /// there is none.
    fn have_second(&mut self, core: &Arc<Core>, pools: &Pools) -> Result<bool, String> {
        if !pools.has_second() {
            let starting = match &mut self.starting {
                Some(starting) => starting,
                none => none.insert(Starting::begin(core, pools).map_err(|it| it.to_string())?),
            };
            if !starting.has_ended(core.plan.second.len()) {
                return Ok(false);
            }
            if let Some(Starting { pool, placements, .. }) = self.starting.take() {
                core.compute_placements.set_second(placements);
                pools.set_second(pool);
            }
        }
        let mut second = core.compute_placements.second().iter();
        // The whole process may be in the idle class, and without the privilege to leave it.
        second.all(|placement| !placement.class.is_idle).then_some(true).ok_or_else(|| {
            "the system keeps all threads of the process there; start it at normal priority"
                .to_owned()
        })
    }
}

/// Moves compute work to the pool of this priority. False if it has to stay where it is for now.
fn move_work(core: &Arc<Core>, priority: ComputePriority) -> bool {
    let Some(pools) = core.pools() else { return false };
    if !core.queue.supersede_drainers(|generation| drainer::fetch(core, generation)) {
        return false;
    }
    let is_normal = priority == ComputePriority::Normal;
    pools.use_second(is_normal);
    core.counters.priority_changes.add_one();
    say(if is_normal {
        "compute work got no CPU time at idle priority, because threads of normal priority take all \
         of it: it goes on at normal priority until CPU time is left (`compute_priority` is `auto`)"
    } else {
        "CPU time is left again: compute work is back at idle priority"
    });
    true
}

/// The second pool, until each of its threads has placed itself. The keeper does not wait for them:
/// something may keep them from their CPUs, too.
struct Starting {
    pool: ThreadPool,
    placed: mpsc::Receiver<ThreadPlacement>,
    placements: Vec<ThreadPlacement>,
}

impl Starting {
    /// Starts as many threads as the first pool has.
    fn begin(core: &Arc<Core>, pools: &Pools) -> Built<Self> {
        let plans = &core.plan.second;
        probe(plans.len())?;
        let (sender, placed) = mpsc::channel();
        let names = format!("{}-norm", pools.prefix);
        let pool = start_rayon(core, &names, plans, core.tokio.get(), &sender)?;
        Ok(Self { pool, placed, placements: Vec::with_capacity(plans.len()) })
    }

    fn has_ended(&mut self, threads: usize) -> bool {
        self.placements.extend(self.placed.try_iter());
        self.placements.len() >= threads
    }
}
