//! The drainers: jobs of the compute pool that run queued calls.
//!
//! One drainer is one `spawn` on the pool, however many calls it runs. Until it starts, it waits
//! like any job: rayon first runs what its own threads have spawned and split. A running drainer
//! alternates with the pool's own work. When the queue is empty, it lingers briefly and retires.
//!
//! A pool thread that waits for a join or a scope may run a drainer, as it may run any job. A call
//! above other work could wait for something that the work below holds, such as a lock. So a
//! drainer that finds itself within other work runs no call and goes home: its place stays open, and
//! the keeper asks all threads of the pool again, less and less often (`core/knocks.rs`).

use std::cell::Cell;
use std::hint;
use std::ptr;
use std::task::Waker;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, Yield};

use crate::bridge::{Drainer, Draining, Generation, Held};
use crate::sync::{Arc, Barrier, thread};

use crate::core::{Core, DrainerCpu, Which};
use crate::topology::CpuSet;

use super::bottom::{self, Way};
use super::probe::start_short;
use super::{global_rayon, keeper, pace, short_wakers};

/// A turn of short calls lasts about this long; then the drainer lets the pool's own work run. A turn
/// in which it holds wakers ends when it has woken them, which may take 200 µs.
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
    /// How often in a row drainers of this thread have lingered without finding a call.
    static FRUITLESS_LINGERS: Cell<u32> = const { Cell::new(0) };
}

/// Whether a spare comes, for one of the places that are lent.
fn fetch_spare(core: &Core) -> bool {
    core.queue.lent_places() > 0 && core.spares.fetch()
}

/// Asks a thread to come for a place that this generation has open.
pub(crate) fn fetch(core: &Arc<Core>, generation: Generation) {
    // The last handle was dropped, and the threads have ended.
    ask(core, generation, spawn).unwrap_or_else(|| core.queue.refuse_all());
}

/// Asks a spare, or the pool of this generation by `send`. `None` if the pools have ended.
fn ask(core: &Arc<Core>, generation: Generation, send: Send) -> Option<()> {
    if fetch_spare(core) {
        return Some(());
    }
    let pools = core.pools()?;
    core.counters.wakes.add_one();
    let which = Which::of(generation);
    send(pools.get(which), Arc::clone(core), Task::Arrive(which));
    Some(())
}

/// [`spawn`] or [`broadcast`].
type Send = fn(&ThreadPool, Arc<Core>, Task);

/// Asks a spare or every thread of the pool to come, if a place is open. Called on the keeper.
pub(crate) fn fetch_from_all(core: &Arc<Core>) {
    core.knocks.begin(core.now());
    let Some(generation) = core.queue.open_place() else { return };
    ask(core, generation, broadcast).unwrap_or_else(|| refuse_elsewhere(core));
}

/// Refuses what waits on a thread that may run code of the user.
pub(super) fn refuse_elsewhere(core: &Arc<Core>) {
    let for_thread = Arc::clone(core);
    let refuse = move || for_thread.queue.refuse_all();
    if !start_short(core, "loom-refuse", refuse) {
        let _is_the_keeper = come_again(core);
    }
}

/// Makes the keeper ask again, if a place is open that this thread cannot take. False if there is no
/// keeper.
fn come_again(core: &Arc<Core>) -> bool {
    if core.queue.open_place().is_none() {
        return true;
    }
    let Some(after) = core.knocks.is_needed(core.now()) else { return true };
    let is_told = keeper::ask_all_at(Instant::now() + after, core, fetch_from_all).is_ok();
    if !is_told {
        core.knocks.begin(core.now());
    }
    is_told
}

/// What a job of the pool does.
enum Task {
    /// Records where the stack of the thread begins. What was spawned waits for the other threads'
    /// jobs, so that no thread runs two of them.
    Prepare(Option<Arc<Barrier>>),
    /// Takes an open place, on a thread of this pool.
    Arrive(Which),
}

/// Lets each thread of a new pool record where its stack begins, before it runs any other job.
pub(crate) fn prepare(core: &Arc<Core>, pool: &ThreadPool) {
    let threads = pool.current_num_threads();
    let barrier = Arc::new(Barrier::new(threads));
    // A thread looks for what was broadcast before it looks for what was spawned.
    broadcast(pool, Arc::clone(core), Task::Prepare(None));
    for _ in 0..threads {
        spawn(pool, Arc::clone(core), Task::Prepare(Some(Arc::clone(&barrier))));
    }
}

/// The one place where drainers are spawned, so that the stacks below them are alike.
fn spawn(pool: &ThreadPool, core: Arc<Core>, task: Task) {
    pool.spawn(move || run(&core, Way::Spawned, &task));
}

/// As `spawn`, on each thread of the pool.
fn broadcast(pool: &ThreadPool, core: Arc<Core>, task: Task) {
    pool.spawn_broadcast(move |_| run(&core, Way::Broadcast, &task));
}

/// Never inlined, so that its frame always has the same distance from the pool's frames.
#[inline(never)]
fn run(core: &Arc<Core>, way: Way, task: &Task) {
    let frame = 0_u8;
    let here = ptr::from_ref(hint::black_box(&frame)).addr();
    let which = match task {
        Task::Arrive(which) => *which,
        Task::Prepare(barrier) => {
            bottom::record(way, here);
            if let Some(barrier) = barrier {
                barrier.wait();
            }
            return;
        }
    };
    // Without a keeper nobody asks again, and the calls run above the other work after all.
    if !bottom::is_at(way, here) && come_again(core) {
        return;
    }
    if let Some(generation) = core.queue.arrive(which == Which::First) {
        let index = rayon::current_thread_index();
        let thread_plan =
            index.and_then(|index| core.plan.of_pool(which == Which::First).get(index));
        let cpus = thread_plan.and_then(|thread_plan| thread_plan.cpus.as_ref());
        let held = index.and_then(|index| core.held(which, index));
        drain(core, which, OfThread { cpus, held, is_spare: false }, generation);
    }
}

/// Runs calls on a spare that has taken a place.
pub(super) fn drain_as_spare(core: &Arc<Core>, which: Which, generation: Generation) {
    drain(core, which, OfThread { cpus: None, held: None, is_spare: true }, generation);
}

/// What a thread has as a drainer.
#[derive(Clone, Copy)]
struct OfThread<'a> {
    /// The CPUs among which it is moved, if any.
    cpus: Option<&'a CpuSet>,
    /// Where it holds wakers back, if anywhere.
    held: Option<&'a Held>,
    is_spare: bool,
}

/// Runs calls on a thread that has taken a place.
fn drain(core: &Arc<Core>, which: Which, thread: OfThread<'_>, generation: Generation) {
    let OfThread { cpus, held, is_spare } = thread;
    core.knocks.has_arrived();
    global_rayon::exists_before_idle_work(core);
    pace::begin(core);
    let now = Instant::now();
    let mut drainer = ThreadDrainer {
        core,
        pool: which,
        is_spare,
        place: core.drainer_cpus.enter(cpus),
        turn: 1,
        left: 1,
        since: now,
        yielded: now,
        missed: 0,
    };
    core.queue.drain(generation, held, &mut drainer);
}

struct ThreadDrainer<'a> {
    core: &'a Arc<Core>,
    /// The pool of its thread, or of the threads whose place it takes.
    pool: Which,
    is_spare: bool,
    place: DrainerCpu<'a>,
    /// How many calls a turn has, how many of them are left, and when the turn began.
    turn: u32,
    left: u32,
    since: Instant,
    /// When the pool's own work last had a chance to run, or up to one turn before.
    yielded: Instant,
    /// How often in a row a job waited and was not in the queue.
    missed: u32,
}

impl ThreadDrainer<'_> {
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

impl Drainer for ThreadDrainer<'_> {
    fn fetch(&mut self, generation: Generation) {
        fetch(self.core, generation);
    }

    fn stays(&self) -> bool {
        // The threads whose places the spares took go on.
        !self.is_spare || !self.core.spares.has_too_many()
    }

    fn is_short(&self, waker: &Waker) -> bool {
        short_wakers::contain(waker)
    }

    fn may_hold(&self) -> bool {
        self.core.is_watched()
    }

    fn between(&mut self, draining: &Draining<'_>, ran: u32, is_searching: bool) {
        self.missed = 0;
        if self.place.is_crowded() {
            self.place.look();
        }
        self.keep_pace(draining, is_searching);
        self.left = self.left.saturating_sub(ran);
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
