//! The local cores of a runtime, from their start to their end.
//!
//! It does not own what runs on the threads (`thread.rs`).

use std::time::Instant;

use super::handle::LocalCore;
use super::thread::Started;
use crate::core::context::{MayBlock, may_block};
use crate::sync::mpsc::RecvTimeoutError;
use crate::sync::{Mutex, OnceLock, PoisonError};
use crate::threads::ShutdownWait;
use crate::topology::{ThreadPlacement, os};

/// The local cores of a runtime. Dropping them ends their threads.
#[derive(Default)]
pub(crate) struct LocalCores {
    cores: Vec<LocalCore>,
    placements: Vec<ThreadPlacement>,
    /// Taken out when the cores end.
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

    /// Sets the deadline for the wait in `drop`. Only the first call has an effect.
    pub(crate) fn wait_until(&self, deadline: Instant) {
        self.deadline.get_or_init(|| deadline);
    }

    /// Ends the cores, if they have not ended. Each core drops its tasks after the current poll
    /// returns. A second caller does not wait for the first caller, which may wait longer.
    pub(crate) fn end(&self, wait: ShutdownWait) {
        // A forked process has none of these threads, and the parent's threads may have held locks.
        if os::is_forked() {
            return;
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in &threads {
            thread.ask_to_end(wait);
        }
        // A thread that must not block does not wait: a core would otherwise wait for itself.
        if may_block() == MayBlock::No {
            return;
        }
        let deadline = match wait {
            ShutdownWait::None => return,
            ShutdownWait::AtMost(limit) => Instant::now().checked_add(limit),
            ShutdownWait::Forever => None,
        };
        for thread in threads {
            let has_ended = match deadline {
                Some(at) => {
                    let rest = at.saturating_duration_since(Instant::now());
                    thread.over.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected)
                }
                None => thread.over.recv().is_err(),
            };
            if has_ended {
                // The disconnect is the last step of the thread, so this does not block.
                let _ = thread.thread.join();
            }
        }
    }
}

impl Drop for LocalCores {
    fn drop(&mut self) {
        if os::is_forked() {
            // A forked process has none of these threads.
            std::mem::forget(std::mem::take(&mut self.threads));
            return;
        }
        let deadline = self.deadline.get();
        self.end(deadline.map_or(ShutdownWait::Forever, |deadline| ShutdownWait::until(*deadline)));
    }
}
