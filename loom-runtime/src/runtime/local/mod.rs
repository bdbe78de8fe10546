//! Local cores: pinned threads, each with an executor and a clock of its own inside tokio.
//!
//! Owns the threads, what other threads hold of one, and what tasks find on theirs. The tasks
//! themselves are `executor`'s; sockets, files and tokio's timers are those of the `LocalRuntime`
//! that each core drives.

mod cores;
mod here;
mod state;
mod thread;

use std::fmt;
use std::hash::{BuildHasher, Hash};

use crate::executor::{JoinHandle, RemoteSpawner};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::time::{Clock, CoreId};

pub(crate) use cores::LocalCores;
pub(crate) use here::is_here;
pub use here::{clock, current, spawn, spawner};
pub use state::{CoreState, StateError};
pub(crate) use thread::start;

use super::core::Core;
use super::handle::LoomRuntime;
use super::lifecycle::Admitted;
use super::spawn::Tracked;

/// One local core of a runtime, as any thread holds it. Cheap to clone.
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
    shared: Arc<CoreShared>,
}

pub(crate) struct CoreShared {
    id: CoreId,
    core: Arc<Core>,
    remote: RemoteSpawner,
    clock: Clock,
    tasks: Arc<Tasks>,
}

/// How many tasks a local core has.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    /// Those that any thread gave it, each admitted by itself.
    sent: AtomicUsize,
    /// Those that it made itself, and it alone changes that; one admission is for all of them.
    own: AtomicUsize,
}

impl Tasks {
    pub(crate) fn count(&self) -> usize {
        self.sent.load(Ordering::Relaxed) + self.own.load(Ordering::Relaxed)
    }

    /// Those beyond what the runtime counts as admitted.
    pub(crate) fn uncounted(&self) -> usize {
        self.own.load(Ordering::Relaxed).saturating_sub(1)
    }
}

impl LocalCore {
    pub(crate) fn new(id: CoreId, core: Arc<Core>, remote: RemoteSpawner, clock: Clock) -> Self {
        let tasks = Arc::default();
        Self { shared: Arc::new(CoreShared { id, core, remote, clock, tasks }) }
    }

    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> CoreId {
        self.shared.id
    }

    /// Spawns a task whose future `make` returns on the core, at the task's first poll: it need not
    /// be `Send`, and never leaves its thread. Tracked, as what
    /// [`spawn_async`](LoomRuntime::spawn_async) spawns.
    ///
    /// The handle says why a task that panicked, or was aborted, has no result; the core goes on.
    /// One allocation; on the core itself [`spawn`] needs none.
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
        let tracked = self.track();
        self.shared.remote.spawn_with(move || Tracked::new(make(), tracked))
    }

    /// Tracked tasks that have not ended: of [`spawn_with`](Self::spawn_with) and [`spawn`].
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.shared.tasks.count()
    }

    /// The core's own clock. Its timers fire on the core, which no other can delay; a delay of it
    /// may be awaited anywhere.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// For whoever counts all tasks of a runtime.
    pub(crate) fn tasks(&self) -> &Arc<Tasks> {
        &self.shared.tasks
    }

    /// Counts in a task that comes from anywhere.
    #[track_caller]
    fn track(&self) -> Tracking {
        let admitted = Admitted::or_panic(&self.shared.core);
        self.shared.core.counters.spawned.add_one();
        self.shared.tasks.sent.fetch_add(1, Ordering::Relaxed);
        Tracking { _counted: Counted(Arc::clone(&self.shared)), _admitted: admitted }
    }
}

/// A task that was counted in, until it has ended.
pub(crate) struct Tracking {
    // Before it counts as ended for those who wait for that.
    _counted: Counted,
    _admitted: Admitted,
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

impl LoomRuntime {
    /// How many local cores there are; see
    /// [`LoomBuilder::local_cores`](crate::LoomBuilder::local_cores).
    #[must_use]
    pub fn local_cores(&self) -> usize {
        self.inner.local.all().len()
    }

    /// A local core, by number from 0 on.
    ///
    /// # Panics
    ///
    /// If there is none of that number.
    #[must_use]
    #[track_caller]
    pub fn local(&self, index: usize) -> LocalCore {
        let all = self.inner.local.all();
        let Some(core) = all.get(index) else {
            panic!(
                "there is no local core {index}: the runtime has {} (see \
                 `LoomBuilder::local_cores`)",
                all.len()
            );
        };
        core.clone()
    }

    /// The local core of a key: different keys are spread over all of them, and equal keys have the
    /// same one, in each run of one build with as many cores; not across versions of Rust, whose
    /// default hash it is.
    ///
    /// # Panics
    ///
    /// If there are no local cores.
    #[must_use]
    #[track_caller]
    pub fn local_for<K: Hash + ?Sized>(&self, key: &K) -> LocalCore {
        let cores = self.local_cores();
        assert!(cores > 0, "the runtime has no local cores (see `LoomBuilder::local_cores`)");
        // Of fixed keys, so that it is the same in each run of the program.
        let hash =
            std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(key);
        // Less than the number of cores.
        self.local(usize::try_from(hash % cores as u64).unwrap_or_default())
    }
}
