//! The drainers: jobs of the compute pool that run what waits in the line.
//!
//! One drainer is one `spawn` on the pool, however many calls it runs. Once it is up it takes
//! turns with the pool's own work; until then it waits as any job does, which rayon takes up
//! after what is spawned and split on its own threads. It lingers a little when there is
//! nothing to do, and goes home.
//!
//! A thread of the pool that waits for something (a join, a scope) may come upon a drainer as
//! it may upon any job; such a *nested* drainer runs one call and goes, since whatever lies
//! below it on the stack may be ready to go on, and cannot say so.

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
/// How often in a row lingering has to have been in vain before it counts as not paying; and
/// every how many times it is tried all the same.
const IN_VAIN: u32 = 8;

thread_local! {
    /// Where on its stack a job of this thread runs that nothing else lies below.
    static BOTTOM: Cell<usize> = const { Cell::new(0) };
    /// How often in a row drainers of this thread have lingered in vain.
    static LINGERED_IN_VAIN: Cell<u32> = const { Cell::new(0) };
}

/// Fetches a drainer that was counted as up.
pub(crate) fn fetch(core: &Arc<Core>) {
    match core.pool() {
        Some(pool) => {
            core.counters.wakes.add_one();
            spawn(&pool, Arc::clone(core), None);
        }
        // The last handle is gone, and with it the threads.
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
        // What a thread of the pool spawns goes to its own queue, in front of what lies below
        // a nested drainer. The keeper's goes to the queue that all share.
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
            // Whoever looks away has another fetched for the next call, which is not worth it
            // for a single caller that is about to make one.
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
            // Whoever was counted in may be just about to push.
            thread::yield_now();
            return false;
        }
        let in_vain = LINGERED_IN_VAIN.get();
        let pays = in_vain < IN_VAIN || in_vain.is_multiple_of(IN_VAIN);
        let rounds = if pays { ROUNDS[0] } else { ROUNDS[1] };
        // Rounds and not time, so that whoever takes the CPU meanwhile does not end it.
        for round in 1..=rounds {
            self.place.look();
            // What another drainer has moved to the lists is new to nobody; it is looked for
            // once a round, since the word that tells is one that submitters change.
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
            // Less and less often: whoever submits while it looks away fetches another.
            let looks_away = round.is_power_of_two() && round >= ROUNDS[1];
            if (looks_away || self.core.is_installing())
                && queue.pause_search(self, rayon::yield_now) == Some(Yield::Executed)
            {
                return true;
            }
            // Whatever the class of this thread, whoever wants the CPU may have it.
            thread::yield_now();
        }
        LINGERED_IN_VAIN.set(in_vain.wrapping_add(1));
        false
    }
}
