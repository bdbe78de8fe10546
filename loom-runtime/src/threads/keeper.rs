//! The keeper: the one thread of the process that serves all runtimes.
//!
//! A thread inherits the CPU mask and the class of the thread that starts it, and an unprivileged
//! thread cannot leave the idle class. So all threads are started here, on a thread with every CPU
//! and normal class. While there is work, the keeper also checks that the work gets to run
//! (`watch`). It also fires deadlines. Otherwise it sleeps.
//!
//! No user code runs on it, destructors included: every other thread may wait for the keeper. (One
//! waker is not told apart; `short_wakers` says which.)

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::panics::{ignore_panic, user_code};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc, thread};
use crate::topology::{ComputePriority, CoreBudget, Role, ThreadPlacement, ThreadPlan, os};

use crate::core::{Core, Refusal};

use super::inherited::Looks;
use super::short_wakers::{self, ShortWaker};

/// Asks all compute threads of a core to come for the places that are open.
type AskAll = fn(&Arc<Core>);

type MakeWatched = fn(Weak<Core>) -> Box<dyn Watched>;

enum Command {
    /// An [`Order`], with the way back for its answer.
    Run(Box<dyn FnOnce() + Send>),
    Watch(Weak<Core>, MakeWatched),
    /// Asks all compute threads of the core to come, at that time.
    AskAll(Weak<Core>, Instant, AskAll),
    WakeAt(Instant, ShortWaker),
}

/// The time between two looks of the keeper while there is work: at most, and where a look found
/// what may be wrong. `loom-bench watch` measures what the looks cost.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
pub(super) const SHORT_PAUSE: Duration = Duration::from_millis(100);

static KEEPER: Mutex<Option<mpsc::Sender<Command>>> = Mutex::new(None);

/// What the keeper does for a thread that waits for the answer: a type for each. None of them runs
/// code of the user, and what it holds of the user's is not dropped here. `tests/tidy` lists them.
pub(crate) trait Order: Send + 'static {
    type Answer: Send + 'static;

    fn carry_out(self) -> Self::Answer;
}

/// Has the keeper carry out an order, and waits for the answer.
///
/// # Errors
///
/// Where the system refuses the keeper its thread.
pub(crate) fn order<O: Order>(order: O) -> io::Result<O::Answer> {
    if user_code::is_refused() {
        return Ok(order.carry_out());
    }
    let (sender, done) = mpsc::channel();
    let job = move || {
        // The receiver is gone if the caller's thread has ended.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(|| order.carry_out())));
    };
    send(Command::Run(Box::new(job)))?;
    match done.recv() {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(payload)) => resume_unwind(payload),
        Err(gone) => Err(io::Error::other(gone)),
    }
}

/// What the keeper looks at again and again.
pub(super) trait Watched: Send {
    /// Looks once. Returns the longest time until the next look, or `None` when the keeper may
    /// forget this.
    fn look(&mut self) -> Option<Duration>;

    /// Called where the keeper ends before it may forget this.
    fn leave(&mut self);
}

/// Makes the keeper watch `core`, by what `make` makes of it on the keeper, while that is needed.
///
/// # Errors
///
/// As [`order`].
pub(super) fn watch(core: &Arc<Core>, make: MakeWatched) -> io::Result<()> {
    send(Command::Watch(Arc::downgrade(core), make))
}

/// Asks all compute threads of `core` to come, at that time.
///
/// # Errors
///
/// As [`order`].
pub(super) fn ask_all_at(at: Instant, core: &Arc<Core>, ask: AskAll) -> io::Result<()> {
    send(Command::AskAll(Arc::downgrade(core), at, ask))
}

/// Wakes at that time.
///
/// # Errors
///
/// As [`order`].
pub(super) fn wake_at(time: Instant, waker: ShortWaker) -> io::Result<()> {
    send(Command::WakeAt(time, waker))
}

fn send(command: Command) -> io::Result<()> {
    if os::is_forked() {
        // The lock may be held by a thread of the parent, which does not exist in this process.
        return Err(io::Error::other(Refusal::Forked.to_string()));
    }
    let Some(unsent) = send_to(lock().as_ref(), command) else { return Ok(()) };
    // Without the lock, which threads take that must not wait: in a plug-in, the host may wait here.
    let new = start()?;
    let mut keeper = lock();
    // If another thread was faster, its keeper stays, and the new one ends without its sender.
    if let Some(unsent) = send_to(keeper.as_ref(), unsent) {
        // The new keeper has just begun to receive.
        let _ = new.send(unsent);
        *keeper = Some(new);
    }
    Ok(())
}

/// Returns the command if there is no keeper, or if it has ended.
fn send_to(keeper: Option<&mpsc::Sender<Command>>, command: Command) -> Option<Command> {
    let Some(live) = keeper else { return Some(command) };
    live.send(command).err().map(|mpsc::SendError(command)| command)
}

fn lock() -> MutexGuard<'static, Option<mpsc::Sender<Command>>> {
    KEEPER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the keeper, if there is none. A plug-in does so while it attaches, on a thread that may
/// wait for its host.
///
/// # Errors
///
/// As [`order`].
#[cfg(feature = "plugin")]
pub(crate) fn prepare() -> io::Result<()> {
    send(Command::Run(Box::new(|| ())))
}

fn start() -> io::Result<mpsc::Sender<Command>> {
    os::watch_forks();
    let (commands, received) = mpsc::channel();
    let name = "loom-keeper";
    let body = move || {
        user_code::refuse();
        let budget = CoreBudget::discover();
        let thread_plan =
            ThreadPlan { cpus: Some(budget.cpus.clone()), priority: ComputePriority::Normal };
        ThreadPlacement::apply(Role::Blocking, name.to_owned(), &thread_plan, &budget);
        short_wakers::learn();
        keep(&received);
    };
    #[cfg(feature = "plugin")]
    let body = match crate::guest::start_keeper(body) {
        Ok(started) => return started.map(|()| commands),
        Err(body) => body,
    };
    thread::Builder::new().name(name.to_owned()).spawn(body)?;
    Ok(commands)
}

/// Ends the keeper; the next command starts it again.
#[cfg(feature = "plugin")]
pub(crate) fn end() {
    drop(lock().take());
}

fn keep(commands: &mpsc::Receiver<Command>) {
    let mut watched: Vec<Box<dyn Watched>> = Vec::new();
    let mut waiting: Vec<(Instant, ShortWaker)> = Vec::new();
    let mut asking: Vec<(Instant, Weak<Core>, AskAll)> = Vec::new();
    let mut inherited = Looks::default();
    let mut next_look = Instant::now();
    loop {
        let next = waiting.iter().map(|(time, _)| *time);
        let next = next.chain(asking.iter().map(|(time, ..)| *time));
        let next = next.chain((!watched.is_empty()).then_some(next_look)).min();
        let command = match next {
            None => commands.recv().map_err(mpsc::RecvTimeoutError::from),
            Some(next) => commands.recv_timeout(next.saturating_duration_since(Instant::now())),
        };
        // Every runtime depends on this thread, so a panic of a command must not end it.
        match command {
            Ok(Command::Run(job)) => ignore_panic(job),
            Ok(Command::WakeAt(time, waker)) => waiting.push((time, waker)),
            Ok(Command::AskAll(core, at, ask)) => asking.push((at, core, ask)),
            Ok(Command::Watch(core, make)) => {
                let soon = Instant::now() + SHORT_PAUSE;
                next_look = if watched.is_empty() { soon } else { next_look.min(soon) };
                match catch_unwind(AssertUnwindSafe(|| make(Weak::clone(&core)))) {
                    Ok(core) => watched.push(core),
                    Err(_) => drop(core.upgrade().map(|core| core.is_not_watched())),
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                for core in &mut watched {
                    core.leave();
                }
                return;
            }
        }
        let now = Instant::now();
        for (_, waker) in waiting.extract_if(.., |(time, _)| *time <= now) {
            ignore_panic(|| waker.wake());
        }
        for (_, core, ask) in asking.extract_if(.., |(time, ..)| *time <= now) {
            if let Some(core) = core.upgrade() {
                ignore_panic(|| ask(&core));
            }
        }
        if next_look <= now && !watched.is_empty() {
            let mut pause = PAUSE;
            watched.retain_mut(|core| {
                let wanted = catch_unwind(AssertUnwindSafe(|| core.look())).unwrap_or(Some(PAUSE));
                pause = pause.min(wanted.unwrap_or(PAUSE));
                wanted.is_some()
            });
            ignore_panic(|| inherited.look(now));
            next_look = Instant::now() + pause;
        }
    }
}
