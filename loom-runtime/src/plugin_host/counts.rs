//! The counts of one plug-in: its tasks, calls, threads and panics.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use loom_abi::Work;
use tokio::task::AbortHandle;

use crate::boundary::ForeignFuture;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of one plug-in. All `Relaxed`: statistics, which publish nothing.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Tasks and blocking functions that have not ended.
    pub(crate) tasks: AtomicUsize,
    pub(crate) spawned: AtomicU64,
    pub(crate) compute_calls: AtomicUsize,
    pub(crate) computed: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) threads: AtomicUsize,
}

/// Work that one plug-in does on threads of its own, as it tells. It ends no more than it has begun,
/// so the counts that it shares with others stay right.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// `Relaxed`, both: an end comes after its begin, and a count needs no more than its own order.
    tasks: AtomicUsize,
    compute_calls: AtomicUsize,
    /// Whether the program was told of an end without a begin.
    pub(super) is_told: AtomicBool,
}

impl Begun {
    /// `None` for a kind that this version does not know.
    fn of(&self, work: Work) -> Option<&AtomicUsize> {
        match work {
            Work::TASK => Some(&self.tasks),
            Work::COMPUTE => Some(&self.compute_calls),
            _ => None,
        }
    }

    /// The work has begun, and counts already.
    pub(super) fn begin(&self, work: Work) {
        if let Some(begun) = self.of(work) {
            begun.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether such work is there to end; if so, it is taken off.
    pub(super) fn end(&self, work: Work) -> bool {
        let one_less = |begun: usize| begun.checked_sub(1);
        self.of(work).is_some_and(|begun| {
            begun.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
        })
    }
}

/// One task, call or thread, counted from before it begins until it has ended, however it ends.
pub(super) struct Counted {
    counts: Arc<Counts>,
    which: fn(&Counts) -> &AtomicUsize,
}

impl Counted {
    pub(super) fn new(counts: &Arc<Counts>, which: fn(&Counts) -> &AtomicUsize) -> Self {
        which(counts).fetch_add(1, Ordering::Relaxed);
        Self { counts: Arc::clone(counts), which }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.which)(&self.counts).fetch_sub(1, Ordering::Relaxed);
    }
}

/// The tasks that a plug-in spawns while it starts; they are aborted if the start fails.
#[derive(Debug, Default)]
pub(super) struct Starting {
    /// False where tasks need not be noted: before the start and after one that has succeeded.
    is_on: AtomicBool,
    state: Mutex<Start>,
}

#[derive(Debug, Default)]
struct Start {
    tasks: Vec<AbortHandle>,
    has_failed: bool,
}

impl Starting {
    pub(super) fn begin(&self) {
        self.is_on.store(true, Ordering::Relaxed);
    }

    pub(super) fn note(&self, task: &AbortHandle) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mut start = self.lock();
        if start.has_failed {
            // It was admitted before the start has failed. An abort runs code of the plug-in.
            drop(start);
            task.abort();
        } else {
            start.tasks.push(task.clone());
        }
    }

    /// The plug-in has started, and keeps its tasks.
    pub(super) fn succeed(&self) {
        self.is_on.store(false, Ordering::Relaxed);
        drop(std::mem::take(&mut *self.lock()));
    }

    /// The start has failed: aborts the tasks, and those that are noted from now on.
    pub(super) fn fail(&self) {
        let failed = Start { tasks: Vec::new(), has_failed: true };
        let start = std::mem::replace(&mut *self.lock(), failed);
        start.tasks.iter().for_each(AbortHandle::abort);
    }

    fn lock(&self) -> MutexGuard<'_, Start> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task of a plug-in.
pub(super) struct Task {
    future: ForeignFuture,
    /// After the future, so that the task counts until the future's destructor has ended.
    counted: Counted,
}

impl Task {
    pub(super) fn new(future: ForeignFuture, counts: &Arc<Counts>) -> Self {
        counts.spawned.fetch_add(1, Ordering::Relaxed);
        Self { future, counted: Counted::new(counts, |counts| &counts.tasks) }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(Pin::new(&mut self.future).poll(cx)).is_err() {
            self.counted.counts.panicked.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(())
    }
}
