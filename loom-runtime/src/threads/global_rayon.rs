//! Rayon's global pool, which parallel iterators use outside of compute calls.
//!
//! Loom never replaces a pool that exists. It builds the pool only where it would otherwise be
//! built later by a thread whose class or CPUs the program has not chosen.

use std::env;

use rayon::{ThreadBuilder, ThreadPoolBuilder};

use crate::core::Core;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::topology::{ComputePriority, CoreBudget, Role, ThreadPlacement, ThreadPlan, os};

use super::keeper;
use super::probe::new_thread;
use super::warn::warn_once;

/// The variables by which rayon takes a number of threads.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"];

/// Makes sure that the pool exists before code runs on a thread of the idle class: what that code
/// starts would inherit the class, and so would a pool that it is the first to use.
///
/// Not in a plug-in: the pool is of the plug-in's own rayon, and its threads never end, so the
/// library could not be unmapped.
///
/// Cost: an atomic load, but for the first call in the process.
pub(crate) fn exists_before_idle_work(core: &Core) {
    static IS_DONE: AtomicBool = AtomicBool::new(false);
    let is_normal = |plan: &ThreadPlan| plan.priority == ComputePriority::Normal;
    if core.owner.has_host() || core.plan.compute.first().is_none_or(is_normal) {
        return;
    }
    // Relaxed: whoever finds it false builds the pool, which rayon allows once.
    if !IS_DONE.load(Ordering::Relaxed) {
        // On the keeper, from which the threads inherit every CPU and normal priority. Without a
        // keeper there are no threads to be had, and rayon will say so itself.
        let _ = keeper::order(BuildPlain);
        IS_DONE.store(true, Ordering::Relaxed);
    }
}

/// Builds the pool as rayon would on a thread with all CPUs of the budget.
struct BuildPlain;

impl keeper::Order for BuildPlain {
    type Answer = ();

    fn carry_out(self) {
        build_plain();
    }
}

fn build_plain() {
    // Who looks at the threads of the process must not take these for the keeper.
    let builder = ThreadPoolBuilder::new().start_handler(|_| os::be_named_as_the_process());
    let is_told = VARIABLES.iter().any(|name| env::var_os(name).is_some());
    let threads = CoreBudget::discover().parallelism;
    let builder = if is_told { builder } else { builder.num_threads(threads) };
    // An error says that the program has built it, or that the system refuses the threads. Rayon
    // tries again, and says so, at the pool's first use.
    let _ = builder.build_global();
}

/// Builds the pool with the CPUs and the priority of compute threads.
pub(crate) fn build_io_first(core: &Arc<Core>) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    let spawn = {
        let core = Arc::clone(core);
        move |rayon_thread: ThreadBuilder| {
            let plan = Arc::clone(&core.plan);
            let name = format!("rayon-global-{:04}", rayon_thread.index());
            let builder = new_thread(&plan, name.clone());
            builder.spawn(move || {
                let thread_plan = &plan.compute[rayon_thread.index() % plan.compute.len()];
                ThreadPlacement::apply(Role::Compute, name, thread_plan, &plan.budget);
                rayon_thread.run();
            })?;
            Ok(())
        }
    };
    let threads = core.plan.budget.parallelism;
    let built = ThreadPoolBuilder::new().num_threads(threads).spawn_handler(spawn).build_global();
    if let Err(error) = built {
        warn_once(
            &WARNED,
            &format!(
                "`global_rayon` is `io_first`, and rayon's global pool stays as it is: {}; build \
                 the runtime before the pool is used or built",
                error.to_string().trim_end_matches('.'),
            ),
        );
    }
}
