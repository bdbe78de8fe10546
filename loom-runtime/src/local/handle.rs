//! The handle of a local core, for any thread.
//!
//! It does not own the core's thread (`thread.rs`).

use std::fmt;
use std::panic::Location;

use crate::core::{Admitted, Core, LocalTasks, OfPlace, SlowPolls, Spot};
use crate::executor::{JoinHandle, RemoteSpawner};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::threads::Tracked;
use crate::time::{Clock, CoreId};

/// The handle of one local core of a runtime, for any thread. Cheap to clone.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # fn main() -> loom::Result<()> {
/// let runtime = loom::LoomBuilder::new().local_cores(1).build()?;
/// let echoed = runtime.local(0).spawn_with(|| async {
///     // Not `Send`, and needs no lock.
///     let seen = Rc::new(RefCell::new(Vec::new()));
///     let (mut near, mut far) = tokio::io::duplex(16);
///     let reader = loom::local::spawn({
///         let seen = Rc::clone(&seen);
///         async move { far.read_buf(&mut *seen.borrow_mut()).await.is_ok() }
///     });
///     let _ = near.write_all(b"hello").await;
///     let _ = reader.await;
///     seen.take()
/// });
/// assert_eq!(runtime.block_on(echoed).ok(), Some(b"hello".to_vec()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LocalCore {
    pub(super) shared: Arc<CoreShared>,
}

pub(crate) struct CoreShared {
    id: CoreId,
    pub(super) core: Arc<Core>,
    remote: RemoteSpawner,
    clock: Clock,
    pub(super) tasks: Arc<LocalTasks>,
}

impl LocalCore {
    pub(crate) fn new(id: CoreId, core: Arc<Core>, remote: RemoteSpawner, clock: Clock) -> Self {
        let tasks = Arc::default();
        Self { shared: Arc::new(CoreShared { id, core, remote, clock, tasks }) }
    }

    /// The core's number.
    #[must_use]
    pub fn id(&self) -> CoreId {
        self.shared.id
    }

    /// Spawns a task whose future `make` returns on the core, at the task's first poll. The future
    /// need not be `Send`, and stays on the core's thread. The task is tracked, like a task of
    /// [`spawn_async`](crate::LoomRuntime::spawn_async).
    ///
    /// If the task panics or is aborted, the handle returns the reason, and the core goes on. This
    /// function makes one allocation; on the core itself, [`spawn`](super::spawn) needs none.
    ///
    /// # Panics
    ///
    /// On a runtime that has been shut down.
    #[track_caller]
    pub fn spawn_with<M, F>(&self, make: M) -> JoinHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send> + 'static,
    {
        let tracked = self.track(Spot::of_task(Location::caller()));
        self.shared.remote.spawn_with(move || Tracked::new(make(), tracked))
    }

    /// How many tracked tasks have not ended: tasks of [`spawn_with`](Self::spawn_with) and of
    /// [`spawn`](super::spawn).
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.shared.tasks.count()
    }

    /// The core's own clock. Its timers fire on this core, so no other core can delay them. Any
    /// thread may await a delay of this clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// The counts of this core's tasks, for the total of the runtime.
    pub(crate) fn tasks(&self) -> &Arc<LocalTasks> {
        &self.shared.tasks
    }

    /// Counts a task that any thread spawns.
    #[track_caller]
    fn track(&self, place: u32) -> Tracking {
        let admitted = Admitted::or_panic(&self.shared.core).at(place);
        self.shared.core.counters.spawned.add_one();
        self.shared.tasks.sent.fetch_add(1, Ordering::Relaxed);
        Tracking { _counted: Counted(Arc::clone(&self.shared)), admitted }
    }
}

/// Counts a task until it has ended.
pub(crate) struct Tracking {
    // Dropped before the admission, whose drop may end the wait for the last work.
    _counted: Counted,
    admitted: Admitted,
}

impl OfPlace for Tracking {
    fn slow_polls(&self) -> &SlowPolls {
        self.admitted.slow_polls()
    }

    fn place(&self) -> u32 {
        self.admitted.place()
    }
}

struct Counted(Arc<CoreShared>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.tasks.sent.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for LocalCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCore")
            .field("id", &self.id())
            .field("task_count", &self.task_count())
            .finish_non_exhaustive()
    }
}
