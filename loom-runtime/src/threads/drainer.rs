//! The drainers: jobs of the compute pool that run queued calls.
//!
//! One drainer is one `spawn` on the pool, however many calls it runs. Until it runs it waits like
//! any job, which rayon takes after what its own threads have spawned and split. A running drainer
//! alternates with the pool's own work. When the queue is empty it lingers briefly, and retires.
//!
//! A pool thread that waits for a join or a scope may run a drainer, as it may run any job. Such a
//! *nested* drainer runs one call and retires, since the work below it on the stack may be ready to
//! go on and cannot say so.

use std::cell::Cell;
use std::hint;
use std::ptr;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, Yield};

use crate::bridge::{Drainer, Queue};
use crate::sync::{Arc, Barrier, thread};

use crate::core::{Core, DrainerCpu};

use super::keeper;

/// After how long a drainer gives the pool's own work a turn, if calls are short.
const TURN: Duration = Duration::from_micros(10);
/// How many calls a turn is at most.
const LONGEST_TURN: u32 = 64;
/// After how long it does so where the next call is always about to come. What comes by
/// `LoomRuntime::install` does not wait so long.
const LONGEST_WAIT: Duration = Duration::from_millis(4);
/// How often a drainer that lingers looks, before it sees whether others want its thread or
/// its CPU: a microsecond or two.
const LOOKS: u32 = 64;
/// How many such rounds it lingers, where that has paid lately, and where it has not.
const ROUNDS: [u32; 2] = [32, 4];
/// After how many fruitless lingers in a row lingering counts as not paying; and every how many
/// times it is tried all the same.
const IN_VAIN: u32 = 8;

thread_local! {
    /// Where on its stack a job of this thread runs that nothing else lies below.
    static BOTTOM: Cell<usize> = const { Cell::new(0) };
    /// How often in a row drainers of this thread have lingered without finding a call.
    static LINGERED_IN_VAIN: Cell<u32> = const { Cell::new(0) };
}

/// Fetches a drainer that was counted as up.
pub(crate) fn fetch(core: &Arc<Core>) {
    match core.pool() {
        Some(pool) => {
            core.counters.wakes.add_one();
            spawn(&pool, Arc::clone(core), None);
        }
        // The last handle was dropped, and the threads have ended.
        None => core.queue.refuse_all(),
    }
}

/// Lets each thread of a new pool find out where its stack begins, before anything else.
pub(crate) fn prepare(core: &Arc<Core>, pool: &ThreadPool) {
    let threads = pool.current_num_threads();
    // Each waits for all, so that no thread takes two.
    let barrier = Arc::new(Barrier::new(threads));
    for _ in 0..threads {
        spawn(pool, Arc::clone(core), Some(Arc::clone(&barrier)));
    }
}

/// The one place where drainers are spawned, so that the stacks below them are alike.
fn spawn(pool: &ThreadPool, core: Arc<Core>, barrier: Option<Arc<Barrier>>) {
    pool.spawn(move || run(&core, barrier.as_deref()));
}

/// Never inlined, so that its frame always lies at the same place above the pool's.
#[inline(never)]
fn run(core: &Arc<Core>, barrier: Option<&Barrier>) {
    let frame = 0_u8;
    let here = ptr::from_ref(hint::black_box(&frame)).addr();
    if let Some(barrier) = barrier {
        BOTTOM.set(here);
        barrier.wait();
        return;
    }
    // Anything below would put it elsewhere.
    let is_nested = here != BOTTOM.get();
    let thread_plan = rayon::current_thread_index().and_then(|index| core.plan.compute.get(index));
    // One that lies on another has no place of its own.
    let cpus = thread_plan.filter(|_| !is_nested).and_then(|thread_plan| thread_plan.cpus.as_ref());
    let now = Instant::now();
    core.queue.drain(&mut PoolDrainer {
        core,
        place: core.drainer_cpus.enter(cpus),
        is_nested,
        turn: 1,
        left: 1,
        since: now,
        yielded: now,
    });
}

struct PoolDrainer<'a> {
    core: &'a Arc<Core>,
    place: DrainerCpu<'a>,
    is_nested: bool,
    /// How many calls a turn has, how many of them are left, and since when it lasts.
    turn: u32,
    left: u32,
    since: Instant,
    /// When the pool's own work had its last turn.
    yielded: Instant,
}

impl Drainer for PoolDrainer<'_> {
    fn fetch(&mut self) {
        // A job that a pool thread spawns goes to its own queue, in front of the work below a
        // nested drainer. A job that the keeper spawns goes to the queue that all threads share.
        if !self.is_nested || keeper::call_with(self.core, fetch).is_err() {
            fetch(self.core);
        }
    }

    fn takes_more(&self) -> bool {
        !self.is_nested
    }

    fn between(&mut self, queue: &Queue, is_searching: bool) {
        if self.place.is_crowded() {
            self.place.look();
        }
        self.left -= 1;
        if self.left == 0 {
            let lasted = self.since.elapsed();
            if lasted < TURN {
                self.turn = (self.turn * 2).min(LONGEST_TURN);
            } else if lasted > 2 * TURN {
                self.turn = (self.turn / 4).max(1);
            }
            // While this drainer pauses, the next call fetches another, which does not pay for a
            // single caller that is about to make one.
            if !is_searching {
                rayon::yield_now();
                self.yielded = self.since;
            } else if self.core.is_installing()
                || self.since.duration_since(self.yielded) > LONGEST_WAIT
            {
                queue.pause_search(self, rayon::yield_now);
                self.yielded = self.since;
            }
            self.place.look();
            self.left = self.turn;
            self.since = Instant::now();
        }
    }

    fn lingers(&mut self, queue: &Queue) -> bool {
        if self.is_nested {
            // A submitter that was counted in may be about to push.
            thread::yield_now();
            return false;
        }
        let in_vain = LINGERED_IN_VAIN.get();
        let pays = in_vain < IN_VAIN || in_vain.is_multiple_of(IN_VAIN);
        let rounds = if pays { ROUNDS[0] } else { ROUNDS[1] };
        // Rounds and not time, so that a thread that takes the CPU meanwhile does not end it.
        for round in 1..=rounds {
            self.place.look();
            // Jobs that another drainer has moved to the lists are not new. They are checked once a
            // round, since submitters write the word that counts them.
            if queue.waiting() > 0 {
                LINGERED_IN_VAIN.set(0);
                return true;
            }
            for _ in 0..LOOKS {
                if queue.has_new() {
                    LINGERED_IN_VAIN.set(0);
                    return true;
                }
                hint::spin_loop();
            }
            // Less and less often: a submitter fetches another drainer while this one pauses.
            let looks_away = round.is_power_of_two() && round >= ROUNDS[1];
            if (looks_away || self.core.is_installing())
                && queue.pause_search(self, rayon::yield_now) == Some(Yield::Executed)
            {
                return true;
            }
            // Another thread that wants the CPU gets it, whatever the class of this one.
            thread::yield_now();
        }
        LINGERED_IN_VAIN.set(in_vain.wrapping_add(1));
        false
    }
}
