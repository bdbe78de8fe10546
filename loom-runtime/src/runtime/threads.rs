//! Starting the threads of a plan, each on its seat.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder};
use tokio::runtime::{Builder, Handle, Runtime, worker_index};

use crate::error::{LoomError, Result};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, mpsc, thread};
use crate::topology::{Role, ThreadPlacement, os};

use super::block_on;
use super::config::TokioFlavor;
use super::context;
use super::core::Core;
use super::drain;
use super::watch::once;

/// How long threads may take to start before somebody asks what keeps them.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// Tokio asks for threads and waits for none of them: whoever looks for so long looks at
/// one that hangs.
const LAST_LOOK: Duration = Duration::from_secs(10);

thread_local! {
    /// The worker whose seat this thread has taken.
    static PLACED_AS: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Finds out whether the system has so many threads for us, all at once.
///
/// Tokio panics where it gets none, and waits for ever for some that it does not get.
pub(crate) fn probe(threads: usize) -> Result<()> {
    let mut waiting = Vec::with_capacity(threads);
    let mut result = Ok(());
    for _ in 0..threads {
        let (release, wait) = mpsc::channel::<()>();
        // They end when their sender does.
        let body = move || {
            let _released = wait.recv();
        };
        match thread::Builder::new().name("loom-probe".to_owned()).spawn(body) {
            Ok(thread) => waiting.push((release, thread)),
            Err(error) => {
                result = Err(refused(threads, error));
                break;
            }
        }
    }
    let threads: Vec<_> = waiting.into_iter().map(|(_released, thread)| thread).collect();
    for thread in threads {
        // Waited for, so that they are gone when the real ones come; they do nothing that
        // could panic.
        let _ = thread.join();
    }
    result
}

fn refused(wanted: usize, source: io::Error) -> LoomError {
    LoomError::ThreadsRefused { wanted, source }
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
    // Weakly: the core knows tokio's handle, and that these.
    let weak = Arc::downgrade(core);
    let on_start = {
        let weak = weak.clone();
        move || {
            if let Some(core) = weak.upgrade() {
                core.tokio_threads.fetch_add(1, Ordering::Relaxed);
                begin_blocking(&core);
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

/// Calls tokio's `build` on a thread of its own, since it may not come back.
///
/// Where the system refuses a worker that it had for the probe, tokio panics, and then
/// waits for the workers it has started, which nobody has told to end. Such a thread and
/// its workers are left behind: that is what a lost race against another taker of threads
/// costs, instead of a caller that hangs.
fn build_apart(mut builder: Builder) -> Result<Runtime> {
    let (sender, built) = mpsc::channel();
    let body = move || {
        // Nobody listens any more where it took too long.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(|| builder.build())));
    };
    let apart = thread::Builder::new().name("loom-start".to_owned()).spawn(body);
    apart.map_err(|error| refused(1, error))?;
    let mut patience = FIRST_LOOK;
    loop {
        match built.recv_timeout(patience) {
            Ok(Ok(built)) => return built.map_err(LoomError::TokioRuntime),
            Ok(Err(payload)) => {
                crate::quiet::drop_quietly(payload);
                return Err(refused(1, os::no_more_threads()));
            }
            Err(mpsc::RecvTimeoutError::Timeout) if patience < LAST_LOOK => probe(1)?,
            Err(_) => return Err(refused(1, os::no_more_threads())),
        }
        patience *= 2;
    }
}

/// Undoes what a thread inherits from the one that starts it: a single CPU, an idle class.
pub(crate) fn begin_blocking(core: &Core) {
    let plan = &core.plan;
    let placed = ThreadPlacement::take(Role::Blocking, own_name(), &plan.blocking, &plan.budget);
    if placed.class.is_idle {
        static SAID: AtomicBool = AtomicBool::new(false);
        core.counters.demoted.add_one();
        once(
            &SAID,
            &format!(
                "thread `{}` of the I/O side runs at idle priority, which it inherited: use \
                 `LoomRuntime::spawn_blocking` instead of tokio's on compute threads, and start \
                 the program at normal priority",
                placed.name
            ),
        );
    }
}

/// Places workers.
///
/// Tokio keeps one set of threads for workers and for blocking work, and any of them may
/// become a worker. What a thread is shows when it parks, which only workers do.
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
        if let Some(seat) = worker.and_then(|i| plan.io.get(i)) {
            let placement = ThreadPlacement::take(Role::Io, own_name(), seat, &plan.budget);
            // Nobody listens any more once the runtime is up.
            let _ = placed.send(placement);
        }
    }
}

/// Gives a thread that was a worker before the whole budget, now that it runs something
/// that may block.
pub(crate) fn leave_worker_seat(core: &Core) {
    if PLACED_AS.get().is_some() && worker_index().is_none() {
        PLACED_AS.set(None);
        let plan = &core.plan;
        ThreadPlacement::take(Role::Blocking, own_name(), &plan.blocking, &plan.budget);
    }
}

fn own_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// Starts the compute side. With `tokio`, compute threads enter it for good, so that
/// `Handle::current` and `tokio::spawn` work there.
pub(crate) fn start_rayon(
    core: &Arc<Core>,
    prefix: &str,
    tokio: Option<&Handle>,
    placed: &mpsc::Sender<ThreadPlacement>,
) -> Result<ThreadPool> {
    let on_panic = {
        let core = Arc::clone(core);
        // Only work that was given to rayon directly gets here; bridged calls catch theirs.
        move |payload| {
            core.counters.compute_panics.add_one();
            crate::quiet::drop_quietly(payload);
        }
    };
    let spawn = |rayon_thread: ThreadBuilder| -> io::Result<()> {
        let name = rayon_thread.name().unwrap_or_default().to_owned();
        let core = Arc::clone(core);
        let (tokio, placed) = (tokio.cloned(), placed.clone());
        thread::Builder::new().name(name.clone()).spawn(move || {
            let _entered = tokio.as_ref().map(Handle::enter);
            let (plan, index) = (&core.plan, rayon_thread.index());
            let seat = &plan.compute[index];
            let placement = ThreadPlacement::take(Role::Compute, name, seat, &plan.budget);
            block_on::serve(Arc::clone(&core));
            context::adopt(core);
            // Nobody listens where starting a later one was refused.
            let _ = placed.send(placement);
            drop(placed);
            rayon_thread.run();
        })?;
        Ok(())
    };
    let prefix = prefix.to_owned();
    let pool = ThreadPoolBuilder::new()
        .num_threads(core.plan.compute.len())
        .thread_name(move |i| format!("{prefix}-rayon-{i:04}"))
        .panic_handler(on_panic)
        .spawn_handler(spawn)
        .build()
        .map_err(|error| LoomError::RayonThreadPool(Box::new(error)))?;
    drain::prepare(core, &pool);
    Ok(pool)
}

/// Waits until so many threads have taken their places.
///
/// The system may refuse a thread although there was one for the probe. Tokio keeps that
/// worker in its queue of blocking functions, and asks the system again when it is given
/// another; so it is, until all are there or the system refuses us as well.
pub(crate) fn await_placed(
    placed: &mpsc::Receiver<ThreadPlacement>,
    wanted: usize,
    tokio: &Handle,
) -> Result<Vec<ThreadPlacement>> {
    let mut threads = Vec::with_capacity(wanted);
    let mut patience = FIRST_LOOK;
    while threads.len() < wanted {
        match placed.recv_timeout(patience) {
            Ok(thread) => threads.push(thread),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                probe(1)?;
                drop(tokio.spawn_blocking(|| ()));
                patience *= 2;
            }
            // The threads are gone, with what they would have said.
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    threads.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(threads)
}
