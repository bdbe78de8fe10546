//! Starting the threads of a plan, each on its seat.

use std::cell::Cell;
use std::io;

use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder};
use tokio::runtime::{Builder, Handle, Runtime, worker_index};

use crate::error::{LoomError, Result};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, mpsc, thread};
use crate::topology::{Plan, Role, ThreadPlacement};

use super::context;
use super::core::Core;

thread_local! {
    /// The worker whose seat this thread has taken.
    static PLACED_AS: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Starts the I/O side. Each worker reports its placement to `placed`.
pub(crate) fn start_tokio(
    core: &Arc<Core>,
    plan: &Arc<Plan>,
    prefix: &str,
    placed: mpsc::Sender<ThreadPlacement>,
) -> Result<Runtime> {
    let workers = plan.io.len();
    let name = {
        let prefix = prefix.to_owned();
        let started = AtomicUsize::new(0);
        move || match started.fetch_add(1, Ordering::Relaxed) {
            n if n < workers => format!("{prefix}-tokio-{n:04}"),
            n => format!("{prefix}-blocking-{:04}", n - workers),
        }
    };
    let on_start = {
        let (core, plan) = (Arc::clone(core), Arc::clone(plan));
        move || {
            // Undoes the one CPU that a thread inherits from the worker that starts it.
            ThreadPlacement::take(Role::Blocking, thread_name(), &plan.blocking, &plan.budget);
            context::adopt(Arc::clone(&core));
        }
    };
    // Tokio keeps one set of threads for workers and for blocking work, and any of them
    // may become a worker. What a thread is shows when it parks, which only workers do.
    let on_park = {
        let plan = Arc::clone(plan);
        move || {
            let worker = worker_index();
            if worker.is_none() || worker == PLACED_AS.get() {
                return;
            }
            PLACED_AS.set(worker);
            if let Some(seat) = worker.and_then(|i| plan.io.get(i)) {
                let placement = ThreadPlacement::take(Role::Io, thread_name(), seat, &plan.budget);
                // Nobody listens any more once the runtime is up.
                let _ = placed.send(placement);
            }
        }
    };
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .thread_name_fn(name)
        .on_thread_start(on_start)
        .on_thread_park(on_park)
        .build()
        .map_err(LoomError::TokioRuntime)
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// Starts the compute side. With `tokio`, compute threads enter it for good, so that
/// `Handle::current` and `tokio::spawn` work there.
pub(crate) fn start_rayon(
    core: &Arc<Core>,
    plan: &Arc<Plan>,
    prefix: &str,
    tokio: Option<&Handle>,
    placed: &mpsc::Sender<ThreadPlacement>,
) -> Result<ThreadPool> {
    let on_panic = {
        let core = Arc::clone(core);
        // Only work that was given to rayon directly gets here; bridged calls catch theirs.
        move |payload| {
            core.counters.compute_panics.add_one();
            crate::bridge::drop_quietly(payload);
        }
    };
    let spawn = |rayon_thread: ThreadBuilder| -> io::Result<()> {
        let name = rayon_thread.name().unwrap_or_default().to_owned();
        let (core, plan) = (Arc::clone(core), Arc::clone(plan));
        let (tokio, placed) = (tokio.cloned(), placed.clone());
        thread::Builder::new().name(name.clone()).spawn(move || {
            let _entered = tokio.as_ref().map(Handle::enter);
            let seat = &plan.compute[rayon_thread.index()];
            let placement = ThreadPlacement::take(Role::Compute, name, seat, &plan.budget);
            context::adopt(core);
            // As above.
            let _ = placed.send(placement);
            drop((plan, placed));
            rayon_thread.run();
        })?;
        Ok(())
    };
    let prefix = prefix.to_owned();
    ThreadPoolBuilder::new()
        .num_threads(plan.compute.len())
        .thread_name(move |i| format!("{prefix}-rayon-{i:04}"))
        .panic_handler(on_panic)
        .spawn_handler(spawn)
        .build()
        .map_err(|error| LoomError::RayonThreadPool(Box::new(error)))
}
