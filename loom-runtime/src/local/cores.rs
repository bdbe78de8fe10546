//! The local cores of a runtime, until they end.

use std::time::Instant;

use super::handle::LocalCore;
use super::thread::Started;
use crate::core::context::{MayBlock, may_block};
use crate::sync::mpsc::RecvTimeoutError;
use crate::sync::{Mutex, OnceLock, PoisonError};
use crate::threads::ShutdownWait;
use crate::topology::{ThreadPlacement, os};

/// Ends its threads when it is dropped.
#[derive(Default)]
pub(crate) struct LocalCores {
    cores: Vec<LocalCore>,
    placements: Vec<ThreadPlacement>,
    /// Taken when they end.
    threads: Mutex<Vec<Started>>,
    deadline: OnceLock<Instant>,
}

impl LocalCores {
    pub(crate) fn add(&mut self, thread: Started, placement: ThreadPlacement) {
        self.cores.push(thread.core.clone());
        self.placements.push(placement);
        self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    pub(crate) fn all(&self) -> &[LocalCore] {
        &self.cores
    }

    pub(crate) fn placements(&self) -> &[ThreadPlacement] {
        &self.placements
    }

    /// Bounds the wait for them in a drop; the first bound stays.
    pub(crate) fn wait_until(&self, deadline: Instant) {
        self.deadline.get_or_init(|| deadline);
    }

    /// Ends the cores, if they have not ended: each drops its tasks when the task that runs returns. A
    /// second caller does not wait for the first, which may wait longer.
    pub(crate) fn end(&self, patience: ShutdownWait) {
        // None of them is here, and locks may be held by those that are elsewhere.
        if os::is_forked() {
            return;
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in &threads {
            thread.ask_to_end(patience);
        }
        // A thread that others wait for waits for none, and so no core for itself.
        if may_block() == MayBlock::No {
            return;
        }
        let deadline = match patience {
            ShutdownWait::None => return,
            ShutdownWait::AtMost(limit) => Instant::now().checked_add(limit),
            ShutdownWait::Forever => None,
        };
        for thread in threads {
            let over = match deadline {
                Some(at) => {
                    let rest = at.saturating_duration_since(Instant::now());
                    thread.over.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected)
                }
                None => thread.over.recv().is_err(),
            };
            if over {
                // It has said so as the last thing it does.
                let _ = thread.thread.join();
            }
        }
    }
}

impl Drop for LocalCores {
    fn drop(&mut self) {
        if os::is_forked() {
            // None of them is here.
            std::mem::forget(std::mem::take(&mut self.threads));
            return;
        }
        let deadline = self.deadline.get();
        self.end(deadline.map_or(ShutdownWait::Forever, |deadline| ShutdownWait::until(*deadline)));
    }
}
