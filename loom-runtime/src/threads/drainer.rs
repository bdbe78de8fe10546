//! The drainers: jobs of the compute pool that run queued calls.
//!
//! One drainer is one `spawn` on the pool, however many calls it runs. Until it starts, it waits
//! like any job: rayon first runs what its own threads have spawned and split. A running drainer
//! alternates with the pool's own work. When the queue is empty, it lingers briefly and retires.
//!
//! A pool thread that waits for a join or a scope may run a drainer, as it may run any job. Such a
//! *nested* drainer runs one call and retires, since the work below it on the stack may be ready to
//! go on and cannot signal that.

use std::cell::Cell;
use std::hint;
use std::ptr;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, Yield};

use crate::bridge::{Drainer, Draining, Generation};
use crate::sync::{Arc, Barrier, thread};

use crate::core::{Core, DrainerCpu, Pools, Which};

use super::{global_rayon, keeper, pace};

/// A turn of short calls lasts about this long; then the drainer lets the pool's own work run.
const TURN: Duration = Duration::from_micros(10);
/// The most calls in a turn.
const LONGEST_TURN: u32 = 64;
/// How long the pool's own work waits at most while the queue is empty after each call, and the
/// next call is always about to come. Work of `LoomRuntime::install` does not wait that long.
const LONGEST_WAIT: Duration = Duration::from_millis(4);
/// How often a lingering drainer checks the queue in one round, which takes a microsecond or two.
/// After each round it checks whether its thread or its CPU is wanted.
const CHECKS: u32 = 64;
/// How many such rounds a drainer lingers: where lingering has paid lately, and where it has not.
const ROUNDS: [u32; 2] = [32, 4];
/// After this many fruitless lingers in a row, lingering counts as not paying. Every so many times
/// after that, a drainer lingers for the full number of rounds again.
const FRUITLESS: u32 = 8;
/// How often a drainer looks again at once for a job that another thread is about to push or to
/// start. Then it naps between two looks: that thread may be one that gets no CPU time while this
/// one runs.
const LOOKS: u32 = 100;

thread_local! {
    /// The stack address of a job of this thread that has no other job below it.
    static BOTTOM: Cell<usize> = const { Cell::new(0) };
    /// How often in a row drainers of this thread have lingered without finding a call.
    static FRUITLESS_LINGERS: Cell<u32> = const { Cell::new(0) };
}

/// Spawns a drainer that the queue has already counted as up.
pub(crate) fn fetch(core: &Arc<Core>, generation: Generation) {
    match core.pools() {
        Some(pools) => fetch_from(core, &pools, generation),
        // The last handle was dropped, and the threads have ended.
        None => core.queue.refuse_all(generation),
    }
}

fn fetch_from(core: &Arc<Core>, pools: &Pools, generation: Generation) {
    core.counters.wakes.add_one();
    spawn(pools.get(Which::of(generation)), Arc::clone(core), Task::Drain(generation));
}

/// What a job of the pool does.
enum Task {
    /// Records where the stack of the thread begins; waits for the other threads' jobs.
    Prepare(Arc<Barrier>),
    Drain(Generation),
}

/// Lets each thread of a new pool record where its stack begins, before it runs any other job.
pub(crate) fn prepare(core: &Arc<Core>, pool: &ThreadPool) {
    let threads = pool.current_num_threads();
    // Each job waits for all others, so that no thread runs two of them.
    let barrier = Arc::new(Barrier::new(threads));
    for _ in 0..threads {
        spawn(pool, Arc::clone(core), Task::Prepare(Arc::clone(&barrier)));
    }
}

/// The one place where drainers are spawned, so that the stacks below them are alike.
fn spawn(pool: &ThreadPool, core: Arc<Core>, task: Task) {
    pool.spawn(move || run(&core, task));
}

/// Never inlined, so that its frame always has the same distance from the pool's frames.
#[inline(never)]
fn run(core: &Arc<Core>, task: Task) {
    let frame = 0_u8;
    let here = ptr::from_ref(hint::black_box(&frame)).addr();
    let generation = match task {
        Task::Drain(generation) => generation,
        Task::Prepare(barrier) => {
            BOTTOM.set(here);
            barrier.wait();
            return;
        }
    };
    global_rayon::exists_before_idle_work(core);
    // A job below this one would have moved the frame.
    let is_nested = here != BOTTOM.get();
    let pool = Which::of(generation);
    let thread_plans = match pool {
        Which::First => &core.plan.compute,
        Which::Second => &core.plan.second,
    };
    let thread_plan = rayon::current_thread_index().and_then(|index| thread_plans.get(index));
    // A nested drainer is not counted on a CPU and not moved. Where I/O workers may move, the kernel
    // places all threads better (`loom-bench http`).
    let is_moved = core.plan.binds_io && !is_nested;
    let cpus = thread_plan.filter(|_| is_moved).and_then(|thread_plan| thread_plan.cpus.as_ref());
    if !is_nested {
        pace::begin(core);
    }
    let now = Instant::now();
    let mut drainer = PoolDrainer {
        core,
        pool,
        place: core.drainer_cpus.enter(cpus),
        is_nested,
        turn: 1,
        left: 1,
        since: now,
        yielded: now,
        missed: 0,
    };
    core.queue.drain(generation, &mut drainer);
}

struct PoolDrainer<'a> {
    core: &'a Arc<Core>,
    /// The pool of its thread.
    pool: Which,
    place: DrainerCpu<'a>,
    is_nested: bool,
    /// How many calls a turn has, how many of them are left, and when the turn began.
    turn: u32,
    left: u32,
    since: Instant,
    /// When the pool's own work last had a chance to run, or up to one turn before.
    yielded: Instant,
    /// How often in a row a job waited and was not in the queue.
    missed: u32,
}

impl PoolDrainer<'_> {
    /// Sleeps, where a quota does not let compute threads use all of their CPUs' time.
    fn keep_pace(&mut self, draining: &Draining<'_>, is_searching: bool) {
        let (core, pool) = (self.core, self.pool);
        let Some(debt) = pace::debt(core, pool) else { return };
        if is_searching {
            draining.pause_search(self, || pace::sleep(core, pool, debt));
        } else {
            pace::sleep(core, pool, debt);
        }
    }
}

impl Drainer for PoolDrainer<'_> {
    fn fetch(&mut self, generation: Generation) {
        // A job that a pool thread spawns goes to that thread's own queue, ahead of the work below
        // a nested drainer. A job that the keeper spawns goes to the queue that all threads share.
        let pools = self.core.pools().filter(|_| self.is_nested);
        let is_sent = pools.is_some_and(|pools| {
            keeper::fetch_with(self.core, &pools, generation, fetch_from).is_ok()
        });
        if !is_sent {
            fetch(self.core, generation);
        }
    }

    fn takes_more(&self) -> bool {
        !self.is_nested
    }

    fn between(&mut self, draining: &Draining<'_>, is_searching: bool) {
        self.missed = 0;
        if self.place.is_crowded() {
            self.place.look();
        }
        self.keep_pace(draining, is_searching);
        self.left -= 1;
        if self.left == 0 {
            let lasted = self.since.elapsed();
            if lasted < TURN {
                self.turn = (self.turn * 2).min(LONGEST_TURN);
            } else if lasted > 2 * TURN {
                self.turn = (self.turn / 4).max(1);
            }
            // While a searching drainer pauses its search, the next call fetches another drainer.
            // That does not pay where a single caller is about to make the next call.
            if !is_searching {
                rayon::yield_now();
                self.yielded = self.since;
            } else if self.core.installs.is_waiting(self.pool)
                || self.since.duration_since(self.yielded) > LONGEST_WAIT
            {
                draining.pause_search(self, rayon::yield_now);
                self.yielded = self.since;
            }
            self.place.look();
            self.left = self.turn;
            self.since = Instant::now();
        }
    }

    fn lingers(&mut self, draining: &Draining<'_>) -> bool {
        if self.is_nested {
            // A submitter that is counted already may be about to push its job.
            thread::yield_now();
            return false;
        }
        if draining.waiting() > 0 {
            self.missed += 1;
            match self.missed {
                ..=1 => hint::spin_loop(),
                2..LOOKS => thread::yield_now(),
                LOOKS.. => pace::nap(),
            }
            return true;
        }
        let fruitless = FRUITLESS_LINGERS.get();
        let pays = fruitless < FRUITLESS || fruitless.is_multiple_of(FRUITLESS);
        let rounds = if pays { ROUNDS[0] } else { ROUNDS[1] };
        // It counts rounds and not time, so that another thread that takes the CPU meanwhile does
        // not end the lingering.
        for round in 1..=rounds {
            self.place.look();
            // `has_new` does not see jobs that another drainer has moved to the lists. `waiting`
            // counts them, and is read once a round only, since submitters write its word.
            if draining.waiting() > 0 {
                FRUITLESS_LINGERS.set(0);
                return true;
            }
            for _ in 0..CHECKS {
                if draining.has_new() {
                    FRUITLESS_LINGERS.set(0);
                    return true;
                }
                hint::spin_loop();
            }
            // Less and less often, since a submitter fetches another drainer while this one pauses.
            let yields = round.is_power_of_two() && round >= ROUNDS[1];
            if (yields || self.core.installs.is_waiting(self.pool))
                && draining.pause_search(self, rayon::yield_now) == Some(Yield::Executed)
            {
                return true;
            }
            // Another thread that wants the CPU gets it, whatever the class of this one.
            thread::yield_now();
        }
        FRUITLESS_LINGERS.set(fruitless.wrapping_add(1));
        false
    }
}
