//! The one thread of the process that serves all runtimes.
//!
//! Masks and classes are inherited by whatever a thread starts, and an unprivileged thread
//! cannot get rid of an idle class. So threads are started here, on a thread that has
//! neither, whoever asks for them. While there is work it also looks whether that gets to
//! run at all (`watch`). Otherwise it sleeps.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use crate::sync::{Arc, Mutex, PoisonError, Weak, mpsc, thread};
use crate::topology::{ComputePriority, CoreBudget, Role, Seat, ThreadPlacement, os};

use super::core::Core;
use super::watch::{TICK, Watched};

const NAME: &str = "loom-keeper";

enum Command {
    Run(Box<dyn FnOnce() + Send>),
    Watch(Weak<Core>),
}

struct Keeper {
    commands: mpsc::Sender<Command>,
    /// A forked child has no keeper, and starts its own.
    generation: usize,
}

static KEEPER: Mutex<Option<Keeper>> = Mutex::new(None);

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
    if thread::current().name() == Some(NAME) {
        return Ok(f());
    }
    let (sender, done) = mpsc::channel();
    let job = move || {
        // Nobody waits any more where the caller's thread was ended.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(f)));
    };
    send(Command::Run(Box::new(job)))?;
    match done.recv() {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(payload)) => resume_unwind(payload),
        Err(gone) => Err(io::Error::other(gone)),
    }
}

/// Looks after `core` while there is work in it.
pub(crate) fn watch(core: &Arc<Core>) {
    // Without a keeper nothing is watched; that is told by whoever needs it to start.
    let _ = send(Command::Watch(Arc::downgrade(core)));
}

fn send(command: Command) -> io::Result<()> {
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let live = keeper.take_if(|keeper| keeper.generation == os::generation());
    let live = match live {
        Some(live) => live,
        None => start()?,
    };
    let sent = live.commands.send(command);
    *keeper = Some(live);
    sent.map_err(|_gone| io::Error::other("the keeper has ended"))
}

fn start() -> io::Result<Keeper> {
    os::watch_forks();
    let (commands, received) = mpsc::channel();
    let body = move || {
        let budget = CoreBudget::discover();
        let seat = Seat { cpus: Some(budget.cpus.clone()), priority: ComputePriority::Normal };
        ThreadPlacement::take(Role::Blocking, NAME.to_owned(), &seat, &budget);
        keep(&received);
    };
    thread::Builder::new().name(NAME.to_owned()).spawn(body)?;
    Ok(Keeper { commands, generation: os::generation() })
}

fn keep(commands: &mpsc::Receiver<Command>) {
    let mut watched: Vec<Watched> = Vec::new();
    let mut next = Instant::now();
    loop {
        let command = if watched.is_empty() {
            commands.recv().map_err(RecvTimeoutError::from)
        } else {
            commands.recv_timeout(next.saturating_duration_since(Instant::now()))
        };
        match command {
            Ok(Command::Run(job)) => job(),
            Ok(Command::Watch(core)) => {
                if watched.is_empty() {
                    next = Instant::now() + TICK;
                }
                watched.push(Watched::new(core));
            }
            Err(RecvTimeoutError::Timeout) => {
                // Everybody depends on this thread, whatever becomes of what it looks at.
                watched.retain_mut(|core| {
                    catch_unwind(AssertUnwindSafe(|| core.is_still_needed())).unwrap_or(false)
                });
                next = Instant::now() + TICK;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
