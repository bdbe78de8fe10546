//! The keeper: the one thread of the process that serves all runtimes.
//!
//! A thread inherits the CPU mask and the class of the thread that starts it, and an unprivileged
//! thread cannot leave the idle class. So all threads are started here, on a thread with every CPU
//! and normal class. While there is work, the keeper also checks that the work gets to run
//! (`watch`). It also fires deadlines. Otherwise it sleeps.
//!
//! No user code runs on it, destructors included: every other thread may wait for the keeper.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::bridge::Generation;
use crate::panics::ignore_panic;
use crate::sync::{Arc, Mutex, PoisonError, Weak, mpsc, thread};
use crate::topology::{ComputePriority, CoreBudget, Role, ThreadPlacement, ThreadPlan, os};

use crate::core::{Core, Pools, Refusal, context};

use super::inherited::Looks;

/// Fetches a drainer of a generation for a core.
type Fetch = fn(&Arc<Core>, &Pools, Generation);

type MakeWatched = fn(Weak<Core>) -> Box<dyn Watched>;

enum Command {
    Run(Box<dyn FnOnce() + Send>),
    Watch(Weak<Core>, MakeWatched),
    /// Fetches a drainer for a core. It keeps the pools, since without them the calls that wait
    /// would be refused here.
    Fetch(Arc<Core>, Arc<Pools>, Generation, Fetch),
    WakeAt(Instant, Waker),
}

/// The time between two looks of the keeper while there is work: at most, and where a look found
/// what may be wrong. `loom-bench watch` measures what the looks cost.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
pub(super) const SHORT_PAUSE: Duration = Duration::from_millis(100);

static KEEPER: Mutex<Option<mpsc::Sender<Command>>> = Mutex::new(None);

/// Runs `f` on the keeper and waits for it.
///
/// # Errors
///
/// Where the system refuses the keeper its thread.
pub(crate) fn run<R, F>(f: F) -> io::Result<R>
where
    R: Send + 'static,
    F: FnOnce() -> R + Send + 'static,
{
    if context::is_keeper() {
        return Ok(f());
    }
    let (sender, done) = mpsc::channel();
    let job = move || {
        // The receiver is gone if the caller's thread has ended.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(f)));
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
/// As [`run`].
pub(super) fn watch(core: &Arc<Core>, make: MakeWatched) -> io::Result<()> {
    send(Command::Watch(Arc::downgrade(core), make))
}

/// Fetches a drainer on the keeper, which belongs to no pool: the job does not go to the calling
/// thread's own queue. Does not wait for it.
///
/// # Errors
///
/// As [`run`].
pub(super) fn fetch_with(
    core: &Arc<Core>,
    pools: &Arc<Pools>,
    generation: Generation,
    fetch: Fetch,
) -> io::Result<()> {
    send(Command::Fetch(Arc::clone(core), Arc::clone(pools), generation, fetch))
}

/// Completes at a given time, even if tokio and its timers have ended.
///
/// If the system refuses the keeper its thread, nothing wakes the task: the alarm then completes
/// when it is polled after that time.
#[derive(Debug)]
pub(crate) struct Alarm {
    time: Instant,
    /// The waker that the keeper calls at that time.
    set_for: Option<Waker>,
}

impl Alarm {
    pub(crate) fn at(time: Instant) -> Self {
        Self { time, set_for: None }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.time <= Instant::now() {
            return Poll::Ready(());
        }
        if !self.set_for.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.set_for = Some(cx.waker().clone());
            let _ = send(Command::WakeAt(self.time, cx.waker().clone()));
        }
        Poll::Pending
    }
}

fn send(command: Command) -> io::Result<()> {
    if os::is_forked() {
        // The lock may be held by a thread of the parent, which does not exist in this process.
        return Err(io::Error::other(Refusal::Forked.to_string()));
    }
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let unsent = match &*keeper {
        Some(live) => match live.send(command) {
            Ok(()) => return Ok(()),
            // The keeper has ended, so the channel returns the command.
            Err(mpsc::SendError(command)) => command,
        },
        None => command,
    };
    let new = start()?;
    // The new keeper has just begun to receive.
    let _ = new.send(unsent);
    *keeper = Some(new);
    Ok(())
}

fn start() -> io::Result<mpsc::Sender<Command>> {
    os::watch_forks();
    let (commands, received) = mpsc::channel();
    let name = "loom-keeper";
    let body = move || {
        context::become_keeper();
        let budget = CoreBudget::discover();
        let thread_plan =
            ThreadPlan { cpus: Some(budget.cpus.clone()), priority: ComputePriority::Normal };
        ThreadPlacement::apply(Role::Blocking, name.to_owned(), &thread_plan, &budget);
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
    drop(KEEPER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

fn keep(commands: &mpsc::Receiver<Command>) {
    let mut watched: Vec<Box<dyn Watched>> = Vec::new();
    let mut waiting: Vec<(Instant, Waker)> = Vec::new();
    let mut inherited = Looks::default();
    let mut next_look = Instant::now();
    loop {
        let next = waiting.iter().map(|(time, _)| *time);
        let next = next.chain((!watched.is_empty()).then_some(next_look)).min();
        let command = match next {
            None => commands.recv().map_err(mpsc::RecvTimeoutError::from),
            Some(next) => commands.recv_timeout(next.saturating_duration_since(Instant::now())),
        };
        // Every runtime depends on this thread, so a panic of a command must not end it.
        match command {
            Ok(Command::Run(job)) => ignore_panic(job),
            Ok(Command::WakeAt(time, waker)) => waiting.push((time, waker)),
            Ok(Command::Fetch(core, pools, generation, fetch)) => {
                ignore_panic(|| fetch(&core, &pools, generation));
            }
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
