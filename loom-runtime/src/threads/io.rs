//! Starts the I/O side: tokio's workers, each with its thread plan, and its blocking threads.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime, worker_index};

use crate::config::TokioFlavor;
use crate::core::{Core, context};
use crate::error::{LoomError, Result};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, mpsc, thread};
use crate::topology::{Role, ThreadPlacement, os};

use super::probe::{FIRST_LOOK, probe, refused};
use super::warn::warn_once;

/// Tokio's `build` does not wait for its threads, so a start that takes this long hangs.
const LAST_LOOK: Duration = Duration::from_secs(10);

thread_local! {
    /// The worker whose thread plan was applied to this thread.
    static PLACED_AS: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Starts the I/O side. Each worker reports its placement to `placed`.
pub(crate) fn start_tokio(
    core: &Arc<Core>,
    flavor: TokioFlavor,
    is_paused: bool,
    prefix: &str,
    placed: mpsc::Sender<ThreadPlacement>,
) -> Result<Runtime> {
    let workers = match flavor {
        TokioFlavor::MultiThread => core.plan.io.len(),
        TokioFlavor::CurrentThread => 0,
    };
    let mut builder = match flavor {
        TokioFlavor::MultiThread => Builder::new_multi_thread(),
        TokioFlavor::CurrentThread => Builder::new_current_thread(),
    };
    if flavor == TokioFlavor::MultiThread {
        builder.worker_threads(workers).on_thread_park(on_park(core, placed));
    }
    let name = {
        let prefix = prefix.to_owned();
        let started = AtomicUsize::new(0);
        move || match started.fetch_add(1, Ordering::Relaxed) {
            n if n < workers => format!("{prefix}-tokio-{n:04}"),
            n => format!("{prefix}-blocking-{:04}", n - workers),
        }
    };
    // Weak, since the core holds tokio's handle, which holds these closures.
    let weak = Arc::downgrade(core);
    let on_start = {
        let weak = weak.clone();
        move || {
            if let Some(core) = weak.upgrade() {
                core.tokio_threads.fetch_add(1, Ordering::Relaxed);
                place_blocking_thread(&core);
                context::adopt(core);
            }
        }
    };
    let on_stop = move || {
        if let Some(core) = weak.upgrade() {
            core.tokio_threads.fetch_sub(1, Ordering::Relaxed);
        }
    };
    hold_time(&mut builder, is_paused);
    if let Some(bytes) = core.plan.stack_size {
        builder.thread_stack_size(bytes);
    }
    builder.enable_all().thread_name_fn(name).on_thread_start(on_start).on_thread_stop(on_stop);
    build_apart(builder)
}

#[cfg(feature = "test-util")]
fn hold_time(builder: &mut Builder, is_paused: bool) {
    if is_paused {
        builder.start_paused(true);
    }
}

#[cfg(not(feature = "test-util"))]
fn hold_time(_builder: &mut Builder, _is_paused: bool) {}

/// Calls tokio's `build` on a thread of its own, since `build` may not return.
///
/// Where the system refuses a worker although it granted the probe, tokio panics, and then waits
/// for the workers that it has started but not told to end. Then that thread and its workers are
/// leaked, so that the caller does not hang: the cost of a lost race for threads.
fn build_apart(mut builder: Builder) -> Result<Runtime> {
    let (sender, built) = mpsc::channel();
    let body = move || {
        // The receiver is gone if the start took too long.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(|| builder.build())));
    };
    let apart = thread::Builder::new().name("loom-start".to_owned()).spawn(body);
    apart.map_err(|error| refused(1, error))?;
    let mut patience = FIRST_LOOK;
    loop {
        match built.recv_timeout(patience) {
            Ok(Ok(built)) => return built.map_err(LoomError::TokioRuntime),
            Ok(Err(payload)) => {
                crate::panics::drop_ignoring_panic(payload);
                return Err(refused(1, os::no_more_threads()));
            }
            Err(mpsc::RecvTimeoutError::Timeout) if patience < LAST_LOOK => probe(1)?,
            Err(_) => return Err(refused(1, os::no_more_threads())),
        }
        patience *= 2;
    }
}

/// Undoes what a blocking thread inherits from the thread that starts it, such as a mask of one CPU
/// or the idle class.
pub(crate) fn place_blocking_thread(core: &Core) {
    let plan = &core.plan;
    let placed = ThreadPlacement::apply(Role::Blocking, own_name(), &plan.blocking, &plan.budget);
    if placed.class.is_idle {
        static WARNED: AtomicBool = AtomicBool::new(false);
        core.counters.demoted.add_one();
        warn_once(
            &WARNED,
            &format!(
                "thread `{}` of the I/O side runs at idle priority, which it inherited: use \
                 `LoomRuntime::spawn_blocking` instead of tokio's on compute threads, and start \
                 the program at normal priority",
                placed.name
            ),
        );
    }
}

/// Applies the thread plan of each worker.
///
/// Tokio has one set of threads for workers and for blocking work, and any of them may become a
/// worker. A thread is known to be a worker when it parks, since only workers park.
fn on_park(
    core: &Arc<Core>,
    placed: mpsc::Sender<ThreadPlacement>,
) -> impl Fn() + Send + Sync + 'static {
    let plan = Arc::clone(&core.plan);
    move || {
        let worker = worker_index();
        if worker.is_none() || worker == PLACED_AS.get() {
            return;
        }
        PLACED_AS.set(worker);
        if let Some(thread_plan) = worker.and_then(|i| plan.io.get(i)) {
            let placement = ThreadPlacement::apply(Role::Io, own_name(), thread_plan, &plan.budget);
            // The receiver is gone once the runtime is up.
            let _ = placed.send(placement);
        }
    }
}

/// Lets a thread that was a worker before use the whole budget, now that it runs a blocking
/// function.
pub(crate) fn leave_worker_cpu(core: &Core) {
    if PLACED_AS.get().is_some() && worker_index().is_none() {
        PLACED_AS.set(None);
        let plan = &core.plan;
        ThreadPlacement::apply(Role::Blocking, own_name(), &plan.blocking, &plan.budget);
    }
}

fn own_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}
