//! Moves compute work between the idle class and normal priority (`compute_priority = "auto"`).
//!
//! A thread of the idle class cannot leave it without a privilege, so compute work moves instead:
//! from now on drainers run on the second pool, whose threads have normal priority. The drainers of
//! the first pool are superseded (`bridge/README.md`). `priority_choice.rs` decides; this module
//! measures, and makes the move.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::core::{Core, Pools};
use crate::error::Result as Built;
use crate::sync::atomic::AtomicBool;
use crate::sync::{Arc, mpsc};
use crate::topology::{ComputePriority, CpuSet, os};

use super::budget_watch::compute_time;
use super::compute::start_rayon;
use super::drainer;
use super::priority_choice::{CpuUse, PriorityChoice};
use super::probe::probe;
use super::starvation::{Looked, WatchedThreads};
use super::warn::warn_once;

/// The time between two readings of what the CPUs did.
const PAUSE: Duration = Duration::from_secs(1);
/// After how many looks in a row a starved thread is reported.
const WARN_AFTER: u32 = 10;

/// What the keeper keeps of one core.
#[derive(Default)]
pub(super) struct AutoPriority {
    choice: PriorityChoice,
    /// The threads of the idle class in the first pool.
    idle: WatchedThreads,
    /// What the CPUs did, at the last reading since compute work left the idle class.
    last: Option<CpuTimes>,
}

struct CpuTimes {
    at: Instant,
    busy: u64,
    all: u64,
    /// How long the compute threads ran.
    ran: Duration,
}

impl AutoPriority {
    pub(super) fn of(core: &Core) -> Self {
        let first = core.compute_placements.first().iter();
        let idle: Vec<_> = first.filter(|placement| placement.class.is_idle).collect();
        Self { choice: PriorityChoice::default(), idle: WatchedThreads::of(&idle), last: None }
    }

    /// Begins to watch: a first look, which the next one is compared with.
    pub(super) fn begin(&mut self) {
        self.idle.begin(Instant::now());
    }

    /// Ends the watch for now.
    pub(super) fn end(&mut self) {
        self.idle.close_files();
    }

    /// Looks once, and moves the work if need be. Calls `warn` with the name of a thread that has
    /// starved for a second, and for which no change of the class is under way. Returns whether a
    /// thread starves, or may.
    pub(super) fn check(
        &mut self,
        core: &Arc<Core>,
        was_stopped: bool,
        warn: impl FnMut(&str),
    ) -> bool {
        let now = Instant::now();
        if self.choice.is_normal() {
            if self.last.as_ref().is_none_or(|last| now - last.at >= PAUSE)
                && let Some(cpus) = self.cpu_use(core, now)
                && self.choice.should_return(cpus, now)
                && move_work(core, ComputePriority::Idle)
            {
                self.choice.returned(now);
                self.last = None;
                self.idle.begin(now);
            }
            return false;
        }
        let Looked { starved, is_suspicious } = self.idle.look(now, WARN_AFTER, warn);
        if was_stopped {
            return is_suspicious;
        }
        core.counters.starved.add(starved);
        if core.plan.adapts_priority && self.choice.should_leave(starved > 0, now) {
            if move_work(core, ComputePriority::Normal) {
                self.choice.left(now);
            } else {
                self.choice.could_not_leave(now);
            }
        }
        is_suspicious
    }

    /// How the CPUs of the compute threads were used since the last call; `None` at the first.
    #[expect(clippy::cast_precision_loss, reason = "clock ticks, and a number of CPUs")]
    fn cpu_use(&mut self, core: &Core, now: Instant) -> Option<CpuUse> {
        let cpus: CpuSet = core
            .compute_placements
            .iter()
            .flat_map(|placement| placement.cpus_now().as_slice().to_vec())
            .collect();
        let ticks = os::cpu_ticks();
        let own = ticks.iter().filter(|ticks| cpus.contains(ticks.cpu));
        let (busy, all) = own.fold((0, 0), |sum, cpu| (sum.0 + cpu.busy, sum.1 + cpu.all));
        let after = CpuTimes { at: now, busy, all, ran: compute_time(core) };
        let before = self.last.replace(after);
        let (before, after) = before.as_ref().zip(self.last.as_ref())?;
        let seconds = (after.at - before.at).as_secs_f64() * cpus.len() as f64;
        let all = after.all.saturating_sub(before.all);
        Some(CpuUse {
            all: after.busy.saturating_sub(before.busy) as f64 / all.max(1) as f64,
            compute: after.ran.saturating_sub(before.ran).as_secs_f64() / seconds,
        })
    }
}

/// Moves compute work to the pool of this priority. False if it has to stay where it is for now.
fn move_work(core: &Arc<Core>, priority: ComputePriority) -> bool {
    static WARNED: AtomicBool = AtomicBool::new(false);
    let Some(pools) = core.pools() else { return false };
    let is_normal = priority == ComputePriority::Normal;
    if is_normal && let Err(why) = have_second(core, &pools) {
        warn_once(
            &WARNED,
            &format!("compute work stays at idle priority, where it gets no CPU time: {why}"),
        );
        return false;
    }
    if !core.queue.supersede_drainers(|generation| drainer::fetch(core, generation)) {
        return false;
    }
    pools.use_second(is_normal);
    core.counters.priority_changes.add_one();
    let text = if is_normal {
        "compute work got no CPU time at idle priority, because threads of normal priority take all \
         of it: it goes on at normal priority until CPU time is left (`compute_priority` is `auto`)"
    } else {
        "CPU time is left again: compute work is back at idle priority"
    };
    // A closed standard error must not stop the program.
    let _ = writeln!(io::stderr(), "loom: {text}");
    true
}

/// Makes sure that there is a second pool, whose threads have normal priority.
fn have_second(core: &Arc<Core>, pools: &Pools) -> Result<(), String> {
    if !pools.has_second() {
        start_second(core, pools).map_err(|error| error.to_string())?;
    }
    let mut second = core.compute_placements.second().iter();
    // The whole process may be in the idle class, and without the privilege to leave it.
    second.all(|placement| !placement.class.is_idle).then_some(()).ok_or_else(|| {
        "the system keeps all threads of the process there; start it at normal priority".to_owned()
    })
}

/// Starts the second pool: as many threads as the first has.
fn start_second(core: &Arc<Core>, pools: &Pools) -> Built<()> {
    let plans = &core.plan.second;
    probe(plans.len())?;
    let (sender, placed) = mpsc::channel();
    let names = format!("{}-norm", pools.prefix);
    let pool = start_rayon(core, &names, plans, core.tokio.get(), &sender)?;
    drop(sender);
    // Each thread places itself before it runs anything.
    core.compute_placements.set_second(placed.iter().take(plans.len()).collect());
    pools.set_second(pool);
    Ok(())
}
