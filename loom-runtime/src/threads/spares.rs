//! Lends the place of a compute thread that waits to a spare, which runs the calls that wait.
//!
//! A spare is a plain thread with the plan of a compute thread. It belongs to no pool of rayon's, so
//! parallel iterators in a call that it runs use rayon's global pool.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::io;
use std::marker::PhantomData;

use tokio::runtime::Handle;

use crate::core::{Core, Lend, Which, context};
use crate::sync::{Arc, thread};
use crate::topology::{Role, ThreadPlacement, ThreadPlan, os};

use super::probe::new_thread;
use super::{drainer, keeper};

thread_local! {
    /// The core whose calls this compute thread runs, whatever context it has entered meanwhile.
    static OWNER: OnceCell<Arc<Core>> = const { OnceCell::new() };
    /// Whether this thread has lent its place.
    static IS_LENT: Cell<bool> = const { Cell::new(false) };
}

/// Makes the calling thread a compute thread of `core` until the thread ends.
pub(crate) fn serve(core: Arc<Core>) {
    core.begin_compute_thread();
    // It is set once, when the thread starts.
    let _ = OWNER.with(|owner| owner.set(core));
}

/// What a thread is to a pool: whose calls it runs, and whether it has lent its place.
///
/// A thread that only waits for another one hands this over, so that a wait of the other one lends the place.
pub(crate) struct Standing {
    owner: Option<Arc<Core>>,
    is_lent: bool,
}

impl Standing {
    pub(crate) fn of_this_thread() -> Self {
        let owner = OWNER.try_with(|owner| owner.get().cloned()).ok().flatten();
        Self { owner, is_lent: IS_LENT.get() }
    }

    /// Calls `f` with this standing. The calling thread is a new one, which runs nothing else.
    pub(crate) fn around<R>(self, f: impl FnOnce() -> R) -> R {
        struct End(Arc<Core>);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.compute_ids.remove_this_thread();
            }
        }
        IS_LENT.set(self.is_lent);
        let _end = self.owner.map(|core| {
            serve(Arc::clone(&core));
            End(core)
        });
        f()
    }
}

/// The place of a compute thread that waits. Until this is dropped, a spare may run calls.
pub(crate) struct LentPlace {
    core: Arc<Core>,
    /// Not at the end of the runtime, when calls are refused.
    has_spare: bool,
    /// It is given back by the thread that has lent it.
    not_send: PhantomData<*const ()>,
}

/// Why a compute thread must not wait: no spare can take its place, and what it waits for might
/// need that place.
#[derive(Debug)]
pub(crate) enum NoSpare {
    /// As many threads wait as there may be spares.
    Full(usize),
    /// The system refuses the thread.
    Refused(io::Error),
}

impl fmt::Display for NoSpare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a compute thread cannot wait here, ")?;
        match self {
            Self::Full(most) => write!(
                f,
                "since {most} wait already, and `max_spares` is {most}: await in async code instead \
                 of blocking in compute calls, or raise `max_spares`"
            ),
            Self::Refused(error) => write!(
                f,
                "since the system refuses a spare thread for its place ({error}): await in async \
                 code instead of blocking in compute calls, or raise the limit on threads \
                 (`ulimit -u`, or `pids.max` of the control group)"
            ),
        }
    }
}

/// Lends the place of the calling thread, if it is a compute thread that has not lent its place.
///
/// In a plug-in there are no spares: they would be threads of rayon's that never end, through the
/// parallel iterators in their calls, and the library could not be unmapped.
pub(crate) fn lend_place() -> Result<Option<LentPlace>, NoSpare> {
    let Standing { owner, is_lent } = Standing::of_this_thread();
    let owner = owner.filter(|core| !core.owner.has_host() && !is_lent && !os::is_forked());
    let lent = owner.map(lend_place_of).transpose()?;
    IS_LENT.set(is_lent || lent.is_some());
    Ok(lent)
}

fn lend_place_of(core: Arc<Core>) -> Result<LentPlace, NoSpare> {
    let pools = core.pools();
    let which = pools.as_ref().and_then(|pools| pools.of_this_thread());
    if let Some((which, index)) = which.zip(rayon::current_thread_index()) {
        // What this thread waits for may be one of the tasks.
        core.wake_held_by(which, index);
    }
    let has_spare = pools.is_some();
    if has_spare {
        have_spare(&core)?;
    }
    match core.queue.lend_place() {
        Some(generation) if has_spare => drainer::fetch(&core, generation),
        // This thread waits already, and must not run code of the user above that.
        Some(_) => drainer::refuse_elsewhere(&core),
        None => {}
    }
    Ok(LentPlace { core, has_spare, not_send: PhantomData })
}

fn have_spare(core: &Arc<Core>) -> Result<(), NoSpare> {
    let most = core.plan.max_spares;
    match core.spares.lend(most) {
        Lend::Full => return Err(NoSpare::Full(most)),
        Lend::Ready => {}
        Lend::Start(number) => {
            if let Err(error) = start(core, number) {
                core.spares.could_not_start();
                fetch_again(core);
                return Err(NoSpare::Refused(error));
            }
        }
    }
    Ok(())
}

impl Drop for LentPlace {
    fn drop(&mut self) {
        IS_LENT.set(false);
        self.core.queue.give_place_back();
        if self.has_spare {
            self.core.spares.give_back();
        }
    }
}

/// Fetches a thread again, where nobody may be on the way for a place that is open.
fn fetch_again(core: &Arc<Core>) {
    if let Some(generation) = core.queue.open_place() {
        drainer::fetch(core, generation);
    }
}

/// Starts a spare for the pool that runs new work.
fn start(core: &Arc<Core>, number: usize) -> io::Result<()> {
    let Some(pools) = core.pools() else {
        return Err(io::Error::other("the runtime has been shut down"));
    };
    let which = Which::of(core.queue.generation());
    let thread_plans = core.plan.of_pool(which == Which::First);
    let thread_plan = thread_plans[number % thread_plans.len()].clone();
    let name = format!("{}-spare-{number:04}", pools.prefix);
    let body = {
        let (core, name) = (Arc::clone(core), name.clone());
        move || run(&core, which, name, &thread_plan)
    };
    let builder = new_thread(&core.plan, name);
    keeper::order(StartSpare { builder, body }).flatten()
}

struct StartSpare<F> {
    builder: thread::Builder,
    body: F,
}

impl<F: FnOnce() + Send + 'static> keeper::Order for StartSpare<F> {
    type Answer = io::Result<()>;

    fn carry_out(self) -> io::Result<()> {
        self.builder.spawn(self.body).map(drop)
    }
}

/// The body of a spare.
fn run(core: &Arc<Core>, which: Which, name: String, thread_plan: &ThreadPlan) {
    let _entered = core.tokio.get().map(Handle::enter);
    ThreadPlacement::apply(Role::Compute, name, thread_plan, &core.plan.budget);
    serve(Arc::clone(core));
    context::adopt(Arc::clone(core));
    while core.spares.park() {
        if let Some(generation) = core.queue.arrive(which == Which::First) {
            drainer::drain_as_spare(core, which, generation);
        } else if core.queue.open_place().is_some_and(|now| Which::of(now) != which) {
            // Compute work has moved to the other class, where this thread cannot go.
            if start(core, core.spares.replace()).is_err() {
                core.spares.is_not_replaced();
                fetch_again(core);
            }
            break;
        }
        core.spares.returns();
        // Until now this spare counted as at work, so others did not fetch it for a place that they
        // opened.
        fetch_again(core);
    }
    core.compute_ids.remove_this_thread();
}
