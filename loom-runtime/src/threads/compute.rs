//! Starts the compute side: rayon's threads, each with its thread plan.

use std::io;

use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder};
use tokio::runtime::Handle;

use crate::core::{Core, context};
use crate::error::{LoomError, Result};
use crate::sync::{Arc, mpsc};
use crate::topology::{Role, ThreadPlacement, ThreadPlan};

use super::probe::new_thread;
use super::{drainer, spares};

/// Starts a compute pool with a thread for each plan. If `tokio` is set, each compute thread enters
/// it until the thread ends, so that `Handle::current` and `tokio::spawn` work there.
pub(crate) fn start_rayon(
    core: &Arc<Core>,
    names: &str,
    thread_plans: &[ThreadPlan],
    tokio: Option<&Handle>,
    placed: &mpsc::Sender<ThreadPlacement>,
) -> Result<ThreadPool> {
    let on_panic = {
        let core = Arc::clone(core);
        // Only panics of work that was given to rayon directly get here; bridged calls catch their
        // own.
        move |payload| {
            core.counters.compute_panics.add_one();
            crate::panics::drop_ignoring_panic(payload);
        }
    };
    let spawn = |rayon_thread: ThreadBuilder| -> io::Result<()> {
        let name = rayon_thread.name().unwrap_or_default().to_owned();
        let core = Arc::clone(core);
        let (tokio, placed) = (tokio.cloned(), placed.clone());
        let thread_plan = thread_plans[rayon_thread.index()].clone();
        let builder = new_thread(&core.plan, name.clone());
        builder.spawn(move || {
            let _entered = tokio.as_ref().map(Handle::enter);
            let budget = &core.plan.budget;
            let placement = ThreadPlacement::apply(Role::Compute, name, &thread_plan, budget);
            spares::serve(Arc::clone(&core));
            context::adopt(core);
            // The receiver is gone where the system refused a later thread.
            let _ = placed.send(placement);
            drop(placed);
            rayon_thread.run();
        })?;
        Ok(())
    };
    let names = names.to_owned();
    let pool = ThreadPoolBuilder::new()
        .num_threads(thread_plans.len())
        .thread_name(move |i| format!("{names}-{i:04}"))
        .panic_handler(on_panic)
        .spawn_handler(spawn)
        .build()
        .map_err(|error| LoomError::RayonThreadPool(Box::new(error)))?;
    drainer::prepare(core, &pool);
    Ok(pool)
}
