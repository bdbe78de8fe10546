//! Whether the system has threads for us, asked before those who cannot bear a refusal.

use std::io;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::{LoomError, Result};
use crate::sync::{mpsc, thread};
use crate::topology::ThreadPlacement;

/// How long threads may take to start before somebody asks what keeps them.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(50);

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

pub(super) fn refused(wanted: usize, source: io::Error) -> LoomError {
    LoomError::ThreadsRefused { wanted, source }
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
