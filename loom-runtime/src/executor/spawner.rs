//! Making tasks: on the executor's thread, in slots, and from other threads.
//!
//! This file owns the public spawners. It does not own the storage of tasks (`task/`).

use std::fmt;
use std::marker::PhantomData;

use super::join::JoinHandle;
use super::task::{Claim, SLOT_ALIGN, Shared, TaskId, fits};
use crate::sync::Arc;

/// Makes tasks of an [`Executor`](super::Executor) on its thread, for example from its tasks.
///
/// Once the executor was dropped, a spawned future is dropped at once, and its handle reports that
/// the task was cancelled.
#[derive(Clone, Debug)]
pub struct Spawner {
    shared: Arc<Shared>,
    spills: bool,
    /// Keeps the spawner on its thread.
    not_send: PhantomData<*const ()>,
}

impl Spawner {
    pub(super) fn new(shared: Arc<Shared>, spills: bool) -> Self {
        Self { shared, spills, not_send: PhantomData }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Spawns a task in a slot, or on the heap if no slot is free or large enough.
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let claim = if fits::<F>(self.shared.stride()) { self.shared.claim() } else { None };
        let (id, handle) = match claim {
            Some(claim) => claim.join(future),
            None => self.shared.join_boxed(future),
        };
        JoinHandle::new(handle, id)
    }

    /// Spawns a task on the heap, of any size and alignment. Its result is dropped.
    pub fn spawn_boxed<F: Future + 'static>(&self, future: F) -> TaskId {
        self.shared.spawn_boxed(future)
    }

    /// Spawns a task in a slot, without an allocation. Its result is dropped.
    ///
    /// A future that needs a stricter alignment than 128 bytes does not compile here:
    ///
    /// ```compile_fail,E0080
    /// #[repr(align(4096))]
    /// struct Page([u8; 4096]);
    ///
    /// let executor = loom::local::Executor::new(1);
    /// let page = Page([0; 4096]);
    /// let _ = executor.spawn_slab(async move { std::future::ready(()).await; drop(page) });
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the future if no slot is free or large enough, unless the executor
    /// [spills](super::ExecutorBuilder::spill_to_heap), and if the executor was dropped.
    pub fn spawn_slab<F: Future + 'static>(&self, future: F) -> Result<TaskId, Unplaced<F>> {
        let refused = match self.try_claim_slab() {
            Some(claim) => match claim.spawn(future) {
                Err(refused) if refused.reason == Refusal::TooLarge => refused,
                result => return result,
            },
            None if self.shared.is_closed() => return Err(Unplaced::new(future, Refusal::Gone)),
            None => Unplaced::new(future, Refusal::Full),
        };
        if self.spills { Ok(self.spawn_boxed(refused.future)) } else { Err(refused) }
    }

    /// Reserves a slot for a future task.
    ///
    /// # Panics
    ///
    /// If all slots are taken, or the executor was dropped; see
    /// [`try_claim_slab`](Self::try_claim_slab).
    #[must_use]
    #[track_caller]
    pub fn claim_slab(&self) -> SlabClaim {
        match self.try_claim_slab() {
            Some(claim) => claim,
            None if self.shared.is_closed() => panic!("{}", Refusal::Gone),
            None => panic!("{}, or use `try_claim_slab`", Refusal::Full),
        }
    }

    /// Reserves a slot for a future task. `None` if no slot is free, or the executor was dropped.
    #[must_use]
    pub fn try_claim_slab(&self) -> Option<SlabClaim> {
        if self.shared.is_closed() { None } else { self.shared.claim().map(SlabClaim) }
    }
}

/// A slot that is reserved for a task, until this is dropped.
///
/// ```
/// let mut executor = loom::local::Executor::new(1);
/// let claim = executor.claim_slab();
/// assert!(executor.try_claim_slab().is_none());
/// claim.spawn(async {}).expect("it is there, and large enough");
/// assert_eq!(executor.poll(), 1);
/// ```
pub struct SlabClaim(Claim);

impl SlabClaim {
    /// Spawns a task in the slot. Its result is dropped.
    ///
    /// # Errors
    ///
    /// Returns the future if it is too large, and if the executor was dropped.
    pub fn spawn<F: Future + 'static>(self, future: F) -> Result<TaskId, Unplaced<F>> {
        match self.refusal::<F>() {
            None => Ok(self.0.spawn(future)),
            Some(reason) => Err(Unplaced::new(future, reason)),
        }
    }

    /// [`spawn`](Self::spawn) with a handle, which returns the result.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_joined<F>(self, future: F) -> Result<JoinHandle<F::Output>, Unplaced<F>>
    where
        F: Future + 'static,
    {
        match self.refusal::<F>() {
            None => {
                let (id, handle) = self.0.join(future);
                Ok(JoinHandle::new(handle, id))
            }
            Some(reason) => Err(Unplaced::new(future, reason)),
        }
    }

    fn refusal<F: Future>(&self) -> Option<Refusal> {
        const {
            assert!(
                align_of::<F>() <= SLOT_ALIGN && align_of::<F::Output>() <= SLOT_ALIGN,
                "the future or its result needs a stricter alignment than the 128 bytes of a \
                 slot: use `spawn_boxed`"
            );
        }
        let has_room = fits::<F>(self.0.shared().stride());
        if self.0.shared().is_closed() {
            Some(Refusal::Gone)
        } else {
            (!has_room).then_some(Refusal::TooLarge)
        }
    }
}

impl fmt::Debug for SlabClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlabClaim")
    }
}

/// A future that found no slot.
pub struct Unplaced<F> {
    future: F,
    reason: Refusal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Full,
    TooLarge,
    Gone,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "every slot of the executor is taken: build it with more slots",
            Self::TooLarge => "the slots are too small",
            Self::Gone => "the executor was dropped",
        })
    }
}

impl<F> Unplaced<F> {
    fn new(future: F, reason: Refusal) -> Self {
        Self { future, reason }
    }

    /// The future, not polled.
    #[must_use]
    pub fn into_future(self) -> F {
        self.future
    }
}

impl<F> fmt::Display for Unplaced<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Refusal::TooLarge => write!(
                f,
                "the future ({} bytes) or its result does not fit a slot: build the executor with \
                 larger slots, or use `spawn_boxed`",
                size_of::<F>()
            ),
            Refusal::Full => write!(f, "{}, or let it spill to the heap", Refusal::Full),
            Refusal::Gone => Refusal::Gone.fmt(f),
        }
    }
}

impl<F> fmt::Debug for Unplaced<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unplaced({:?})", self.reason)
    }
}

impl<F> std::error::Error for Unplaced<F> {}

/// Makes tasks of an [`Executor`](super::Executor) from any thread.
///
/// ```
/// use std::rc::Rc;
///
/// let mut executor = loom::local::Executor::new(8);
/// let remote = executor.remote_spawner();
/// let task = std::thread::spawn(move || remote.spawn_with(|| {
///     // On the executor's thread.
///     let own = Rc::new(7);
///     async move { *own }
/// }));
/// let task = task.join().expect("no panic");
/// executor.poll();
/// assert!(task.is_finished());
/// ```
#[derive(Clone, Debug)]
pub struct RemoteSpawner(Arc<Shared>);

impl RemoteSpawner {
    pub(super) fn of(spawner: &Spawner) -> Self {
        Self(Arc::clone(&spawner.shared))
    }

    /// Spawns a task whose future `make` returns on the executor's thread, so that it need not be
    /// `Send`. One allocation.
    ///
    /// Once the executor was dropped, `make` is dropped at once, and the handle reports that the
    /// task was cancelled.
    pub fn spawn_with<M, F>(&self, make: M) -> JoinHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send> + 'static,
    {
        let (id, handle) = self.0.send(make);
        JoinHandle::new(handle, id)
    }
}
