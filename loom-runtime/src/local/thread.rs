//! The thread of a local core: its start, its loop and its end.
//!
//! Other threads hold a core by `handle.rs`, and wait for its end in `cores.rs`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::task::coop::has_budget_remaining;

use super::context::{self as core_context, CoreContext};
use super::handle::LocalCore;
use super::states::States;
use crate::core::{Core, context};
use crate::executor::Executor;
use crate::sync::DriverWaker;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Flag, Mutex, PoisonError, mpsc, thread};
use crate::threads::{ShutdownWait, Timer, new_thread, place_blocking_thread};
use crate::time::{ClockDriver, CoreId, InactiveClock};
use crate::topology::{Role, ThreadPlacement};

/// How many tasks a core has slots for; further tasks are on the heap. The memory of a slot is not
/// touched before its first use.
const SLOTS: usize = 4096;

/// How many polls a core does before it checks its sockets, its timers and whether it has to end.
const POLLS_PER_TURN: usize = 61;

/// Wakes a sleeping core, and requests its end.
#[derive(Default)]
struct DriverWake {
    end_requested: Flag,
    /// How long the end waits for blocking functions; `None` without a limit.
    shutdown_limit: Mutex<Option<Duration>>,
    sleeper: DriverWaker,
}

impl Wake for DriverWake {
    fn wake(self: Arc<Self>) {
        self.sleeper.wake();
    }
}

/// A running core, with what its end needs.
pub(crate) struct Started {
    pub(super) core: LocalCore,
    pub(super) thread: thread::JoinHandle<()>,
    /// Disconnected once the thread has dropped everything.
    pub(super) over: mpsc::Receiver<()>,
    driver_wake: Arc<DriverWake>,
}

impl Started {
    pub(super) fn ask_to_end(&self, wait: ShutdownWait) {
        let limit = match wait {
            ShutdownWait::None => Some(Duration::ZERO),
            ShutdownWait::AtMost(limit) => Some(limit),
            ShutdownWait::Forever => None,
        };
        *self.driver_wake.shutdown_limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
        self.driver_wake.end_requested.raise();
        self.driver_wake.sleeper.wake();
    }
}

/// Starts a core, and waits until its thread is placed.
pub(crate) fn start(
    core: &Arc<Core>,
    prefix: &str,
    clock: &InactiveClock,
    index: usize,
) -> io::Result<(Started, ThreadPlacement)> {
    let name = format!("{prefix}-local-{index:04}");
    let (ready, placed) = mpsc::channel();
    let (over_sender, over) = mpsc::channel();
    let driver_wake = Arc::<DriverWake>::default();
    let thread = {
        let (core, prefix, driver_wake) =
            (Arc::clone(core), prefix.to_owned(), Arc::clone(&driver_wake));
        let (mut clock, name) = (clock.clone(), name.clone());
        let builder = new_thread(&core.plan, name.clone());
        builder.spawn(move || {
            let _ended = over_sender;
            let thread_plan = &core.plan.local[index];
            let placement =
                ThreadPlacement::apply(Role::Local, name, thread_plan, &core.plan.budget);
            let runtime = match local_runtime(&core, &prefix, index) {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            context::adopt(Arc::clone(&core));
            let id = CoreId::new(index);
            clock.relocate(None, id);
            let executor = Executor::builder().slots(SLOTS).spill_to_heap(true).build();
            let (clock, driver) = clock.activate_with(Waker::from(Arc::clone(&driver_wake)));
            let local = LocalCore::new(id, core, executor.remote_spawner(), clock);
            let spawner = executor.spawner();
            let states = States::default();
            let guard = core_context::enter(CoreContext {
                core: local.clone(),
                spawner,
                states,
                admitted: RefCell::default(),
            });
            if ready.send(Ok((local, placement))).is_ok() {
                run(&runtime, executor, driver, &driver_wake);
            }
            {
                // State may hold tokio's sockets and timers, as tasks do.
                let _entered = runtime.enter();
                guard.end();
            }
            let limit = *driver_wake.shutdown_limit.lock().unwrap_or_else(PoisonError::into_inner);
            match limit {
                Some(limit) => shut_down(runtime, limit),
                None => drop(runtime),
            }
        })?
    };
    match placed.recv() {
        Ok(Ok((core, placement))) => Ok((Started { core, thread, over, driver_wake }, placement)),
        Ok(Err(error)) => Err(error),
        Err(_gone) => Err(io::Error::other("the thread of a local core ended before it was ready")),
    }
}

fn local_runtime(core: &Arc<Core>, prefix: &str, index: usize) -> io::Result<LocalRuntime> {
    let prefix = prefix.to_owned();
    let started = AtomicUsize::new(0);
    let name = move || {
        let n = started.fetch_add(1, Ordering::Relaxed);
        format!("{prefix}-local-{index:04}-blocking-{n:04}")
    };
    let stack_size = core.plan.stack_size;
    // A weak reference: threads may remain when the runtime ends.
    let core = Arc::downgrade(core);
    // Threads for blocking functions inherit the single CPU of the core, so each is placed anew.
    let on_start = move || {
        if let Some(core) = core.upgrade() {
            place_blocking_thread(&core);
            context::adopt(core);
        }
    };
    let mut builder = Builder::new_current_thread();
    if let Some(bytes) = stack_size {
        builder.thread_stack_size(bytes);
    }
    builder
        .enable_all()
        .thread_name_fn(name)
        .on_thread_start(on_start)
        .build_local(LocalOptions::default())
}

fn shut_down(runtime: LocalRuntime, limit: Duration) {
    if limit.is_zero() { runtime.shutdown_background() } else { runtime.shutdown_timeout(limit) }
}

/// Runs tasks and fires timers until the end is requested; then drops the tasks.
fn run(
    runtime: &LocalRuntime,
    mut executor: Executor,
    mut driver: ClockDriver,
    driver_wake: &DriverWake,
) {
    runtime.block_on(async {
        let mut timer = Timer::new();
        poll_fn(|cx| turn(&mut executor, &mut driver, &mut timer, driver_wake, cx)).await;
        // Dropped within the runtime: tasks hold its sockets and timers.
        drop(executor);
        drop(driver);
    });
}

fn turn(
    executor: &mut Executor,
    driver: &mut ClockDriver,
    timer: &mut Timer,
    driver_wake: &DriverWake,
    cx: &mut Context<'_>,
) -> Poll<()> {
    // Timers that are registered during this turn need no wake: the turn checks them below.
    drop(driver_wake.sleeper.take());
    fire(driver);
    // Tokio gives a budget to each turn, not to each task. A task that the budget does not reach is
    // first in the next turn.
    run_ready(executor);
    if driver_wake.sleeper.register(cx.waker()).is_err() {
        cx.waker().wake_by_ref();
    }
    if driver_wake.end_requested.is_raised() {
        return Poll::Ready(());
    }
    if executor.sleep_in(cx) && timer.wake_at(driver.next_deadline(), cx).is_ready() {
        // The timer is due already.
        cx.waker().wake_by_ref();
    }
    Poll::Pending
}

/// Polls tasks, including again the tasks that wake themselves. The number of polls is limited to
/// what tokio does before it checks its sockets.
fn run_ready(executor: &mut Executor) {
    let mut left = POLLS_PER_TURN;
    let mut may_go_on = || {
        let may = left > 0 && has_budget_remaining();
        left -= usize::from(may);
        may
    };
    let mut goes_on = true;
    while goes_on && executor.has_ready() {
        executor.cycle(|| {
            goes_on = may_go_on();
            goes_on
        });
    }
}

/// Fires due timers. It reads the clock only if a timer waits.
fn fire(driver: &mut ClockDriver) {
    if driver.next_deadline().is_some() {
        // It cannot fail: the core's own handle has a clock.
        let _ = driver.advance_timers(Instant::now());
    }
}
