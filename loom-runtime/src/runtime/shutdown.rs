//! The end of a runtime: draining, then closed.
//!
//! *Draining* begins with `shutdown()`: work is still accepted and tracked, since a
//! request that is being finished needs its compute. *Closed* begins when a finishing
//! call has seen all tracked work end: new tracked work is refused from then on.
//! *Gone* begins when the last handle is dropped: work still queued is refused as well.
//!
//! One tracker counts async tasks and compute calls alike. Admission and closing each
//! write their own word first and read the other's after a `SeqCst` fence, so at least
//! one of two that meet sees the other: either the newcomer is refused, or the finishing
//! call sees it and waits for it too.

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::sync::atomic::{AtomicU8, Ordering, fence};

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const GONE: u8 = 2;

/// What a refused caller is told.
pub(crate) const REFUSED: &str = "the runtime has been shut down: it takes no new work once \
    `block_until_idle`, `wait_for_shutdown` or its last handle is gone; finish the work before, \
    or keep the runtime until it has ended";

#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    tracker: TaskTracker,
    phase: AtomicU8,
}

impl Lifecycle {
    /// Counts a piece of work in, or refuses it.
    pub(crate) fn admit(&self) -> Option<TaskTrackerToken> {
        // First, so that those who are merely refused do not disturb the count.
        if !self.accepts_work() {
            return None;
        }
        let token = self.tracker.token();
        // SeqCst: pairs with the fence in `finished` (see the module's text).
        fence(Ordering::SeqCst);
        self.accepts_work().then_some(token)
    }

    /// Whether work would be admitted right now.
    pub(crate) fn accepts_work(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == OPEN
    }

    /// Whether queued work may still start.
    pub(crate) fn is_gone(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == GONE
    }

    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Begins the end.
    pub(crate) fn drain(&self) {
        self.tracker.close();
    }

    /// Draining, and nothing left.
    pub(crate) fn is_idle(&self) -> bool {
        self.tracker.is_closed() && self.tracker.is_empty()
    }

    /// Waits until draining has begun and nothing is left, then closes.
    pub(crate) async fn finished(&self) {
        loop {
            self.tracker.wait().await;
            if !self.tracker.is_empty() {
                continue;
            }
            self.phase.fetch_max(CLOSED, Ordering::Relaxed);
            // SeqCst: pairs with the fence in `admit`.
            fence(Ordering::SeqCst);
            if self.tracker.is_empty() {
                return;
            }
            // Somebody was admitted just before the door closed: it may still need work of
            // its own, so the door opens again until that has ended too. Not from GONE.
            let _ = self.phase.compare_exchange(CLOSED, OPEN, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Refuses everything, queued work included.
    pub(crate) fn leave(&self) {
        self.tracker.close();
        self.phase.store(GONE, Ordering::Relaxed);
    }
}
