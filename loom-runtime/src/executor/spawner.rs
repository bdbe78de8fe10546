//! Making tasks: on the executor's thread, in slots, and from other threads.

use std::fmt;
use std::marker::PhantomData;

use super::join::JoinHandle;
use super::task::{Claim, SLOT_ALIGN, Shared, TaskId, fits};
use crate::sync::Arc;

/// Makes tasks of an [`Executor`](super::Executor), on its thread: for the tasks themselves, say.
///
/// Once the executor is gone, what is spawned is dropped at once, and its handle says that it was
/// cancelled.
#[derive(Clone, Debug)]
pub struct Spawner {
    shared: Arc<Shared>,
    spills: bool,
    /// Not for other threads.
    here: PhantomData<*const ()>,
}

impl Spawner {
    pub(super) fn new(shared: Arc<Shared>, spills: bool) -> Self {
        Self { shared, spills, here: PhantomData }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Spawns a task in a slot, or on the heap where no slot is free or large enough.
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let claim = if fits::<F>(self.shared.stride()) { self.shared.claim() } else { None };
        let (id, handle) = match claim {
            Some(claim) => claim.join(future),
            None => self.shared.join_boxed(future),
        };
        JoinHandle::new(handle, Some(id))
    }

    /// Spawns a task on the heap, of any size and alignment. Its result is dropped.
    pub fn spawn_boxed<F: Future + 'static>(&self, future: F) -> TaskId {
        self.shared.spawn_boxed(future)
    }

    /// Spawns a task in a slot, without an allocation. Its result is dropped.
    ///
    /// A future that asks for a stricter alignment than 128 bytes does not compile here:
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
    /// Gives the future back where no slot is free or large enough, unless the executor
    /// [spills](super::ExecutorBuilder::spill_to_heap), and where the executor is gone.
    pub fn spawn_slab<F: Future + 'static>(&self, future: F) -> Result<TaskId, Unplaced<F>> {
        let refused = match self.try_claim_slab() {
            Some(claim) => match claim.spawn(future) {
                Err(refused) if refused.why == Why::TooLarge => refused,
                result => return result,
            },
            None if self.shared.is_closed() => return Err(Unplaced::new(future, Why::Gone)),
            None => Unplaced::new(future, Why::Full),
        };
        if self.spills { Ok(self.spawn_boxed(refused.future)) } else { Err(refused) }
    }

    /// Takes a slot for a task to come.
    ///
    /// # Panics
    ///
    /// Where all are taken; see [`try_claim_slab`](Self::try_claim_slab).
    #[must_use]
    #[track_caller]
    pub fn claim_slab(&self) -> SlabClaim {
        self.try_claim_slab().expect(
            "every slot of the executor is taken: make it with more, or use `try_claim_slab`",
        )
    }

    /// Takes a slot for a task to come, if one is free.
    #[must_use]
    pub fn try_claim_slab(&self) -> Option<SlabClaim> {
        if self.shared.is_closed() { None } else { self.shared.claim().map(SlabClaim) }
    }
}

/// A slot that is kept for a task, and goes back when this is dropped.
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
    /// Puts a task there. Its result is dropped.
    ///
    /// # Errors
    ///
    /// Gives the future back where it is too large, and where the executor is gone.
    pub fn spawn<F: Future + 'static>(self, future: F) -> Result<TaskId, Unplaced<F>> {
        match self.why_not::<F>() {
            None => Ok(self.0.spawn(future)),
            Some(why) => Err(Unplaced::new(future, why)),
        }
    }

    /// The same, with a handle.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_joined<F>(self, future: F) -> Result<JoinHandle<F::Output>, Unplaced<F>>
    where
        F: Future + 'static,
    {
        match self.why_not::<F>() {
            None => {
                let (id, handle) = self.0.join(future);
                Ok(JoinHandle::new(handle, Some(id)))
            }
            Some(why) => Err(Unplaced::new(future, why)),
        }
    }

    fn why_not<F: Future>(&self) -> Option<Why> {
        const {
            assert!(
                align_of::<F>() <= SLOT_ALIGN && align_of::<F::Output>() <= SLOT_ALIGN,
                "the future, or its result, asks for a stricter alignment than slots have, which \
                 is 128 bytes: use `spawn_boxed`"
            );
        }
        let has_room = fits::<F>(self.0.shared().stride());
        if self.0.shared().is_closed() {
            Some(Why::Gone)
        } else {
            (!has_room).then_some(Why::TooLarge)
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
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Full,
    TooLarge,
    Gone,
}

impl<F> Unplaced<F> {
    fn new(future: F, why: Why) -> Self {
        Self { future, why }
    }

    /// The future, as it was given.
    #[must_use]
    pub fn into_future(self) -> F {
        self.future
    }
}

impl<F> fmt::Display for Unplaced<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Full => f.write_str(
                "every slot of the executor is taken: make it with more, or let it spill to the \
                 heap",
            ),
            Why::TooLarge => write!(
                f,
                "the future, of {} bytes, or its result does not fit a slot: make the executor \
                 with larger ones, or use `spawn_boxed`",
                size_of::<F>()
            ),
            Why::Gone => f.write_str("the executor is gone"),
        }
    }
}

impl<F> fmt::Debug for Unplaced<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unplaced({:?})", self.why)
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
    /// Once the executor is gone `make` is dropped at once, and the handle says that the task was
    /// cancelled.
    pub fn spawn_with<M, F>(&self, make: M) -> JoinHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send> + 'static,
    {
        JoinHandle::new(self.0.send(make), None)
    }
}
