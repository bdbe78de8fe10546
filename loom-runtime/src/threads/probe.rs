//! Checks that the system grants threads before tokio starts any: tokio cannot handle a refusal.

use std::io;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::core::Core;
use crate::error::{LoomError, Result};
use crate::sync::{mpsc, thread};
use crate::topology::{Plan, ThreadPlacement};

/// How long threads may take to start before the system is probed once more.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(50);

/// Finds out whether the system grants this many threads at the same time.
///
/// Tokio panics if the system refuses some threads, and waits without end for others.
pub(crate) fn probe(threads: usize) -> Result<()> {
    let mut waiting = Vec::with_capacity(threads);
    let mut result = Ok(());
    for _ in 0..threads {
        let (release, wait) = mpsc::channel::<()>();
        // The thread ends when its sender is dropped.
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
        // Joined, so that all have ended when the real threads start. They do nothing that could
        // panic.
        let _ = thread.join();
    }
    result
}

/// Starts a short-lived thread that nobody joins. In a plug-in the host starts it, and knows when it
/// has ended: the library must not be unmapped before. False if the thread is refused.
pub(super) fn start_short(core: &Core, name: &str, body: impl FnOnce() + Send + 'static) -> bool {
    #[cfg(feature = "plugin")]
    if let Some(host) = core.owner.host() {
        /// Its number among the threads that the host starts for I/O.
        const SHORT: usize = 97;
        return host.start_thread(loom_abi::ThreadKind::IO, SHORT, body) == loom_abi::Status::DONE;
    }
    #[cfg(not(feature = "plugin"))]
    let _ = core;
    thread::Builder::new().name(name.to_owned()).spawn(body).is_ok()
}

/// A thread of a runtime, to be spawned, with the stack that the settings ask for.
pub(crate) fn new_thread(plan: &Plan, name: String) -> thread::Builder {
    let builder = thread::Builder::new().name(name);
    match plan.stack_size {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    }
}

pub(super) fn refused(wanted: usize, source: io::Error) -> LoomError {
    LoomError::ThreadsRefused { wanted, source }
}

/// Waits until `wanted` threads have reported their placement.
///
/// The system may refuse a thread although it granted the probe. Then tokio keeps that worker in
/// its queue of blocking functions, and requests a thread again when another function is spawned.
/// So this spawns empty functions until all threads have reported, or the system refuses the probe,
/// too.
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
            // The threads have ended without a report.
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    threads.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(threads)
}
