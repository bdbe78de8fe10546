//! The executor as its users hold it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use super::join::JoinHandle;
use super::spawner::{RemoteSpawner, SlabClaim, Spawner, Unplaced};
use super::task::{OVERHEAD, Shared, Size, TaskId, room};

/// So many tasks are polled in a cycle where nobody says otherwise: as many as tokio polls before
/// it looks at its sockets.
const TASKS_PER_CYCLE: usize = 61;
/// Bytes of a slot where nobody says otherwise: enough for most small futures.
const SLOT_BYTES: usize = 512;

/// Runs tasks that need not be `Send`, on the thread that made it.
///
/// A local core of a runtime runs one inside tokio; made by hand it is driven by hand, with
/// [`poll`](Self::poll), or awaited in any other runtime, with [`run_until`](Self::run_until).
///
/// Tasks stand on the heap or, without an allocation, in storage that was claimed when the
/// executor was made. They are polled first come first served: where at most `l` are polled in a
/// cycle and `n` want to be all the time, each is within ⌈n/l⌉ cycles.
/// Wakers of its tasks may be used on any thread, and at any time, also after the executor is
/// gone. A panic of a task is its own error and nobody else's.
///
/// Dropping the executor drops every task on its thread; handles say that they were cancelled.
///
/// ```
/// use std::rc::Rc;
///
/// let mut executor = loom::local::Executor::new(64);
/// let shared = Rc::new(6);
/// let task = executor.spawn({
///     let shared = Rc::clone(&shared);
///     async move { *shared * 7 }
/// });
/// assert_eq!(executor.poll(), 1);
/// assert!(task.is_finished());
/// ```
///
/// # Cost
///
/// A task in a slot costs no allocation; `loom-bench local` measures it from spawn to completion,
/// beside tokio's `LocalSet`.
#[derive(Debug)]
pub struct Executor {
    spawner: Spawner,
    tasks_per_cycle: usize,
}

/// Makes an [`Executor`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ExecutorBuilder {
    size: Size,
    spills: bool,
    tasks_per_cycle: usize,
}

impl ExecutorBuilder {
    /// Claims so many slots. No memory is touched before it is used.
    pub fn slots(mut self, slots: usize) -> Self {
        self.size.slots = slots;
        self
    }

    /// Bytes that each slot has for a future or its result, whichever is larger; 512 by default.
    /// [`slot_bytes_of`](Executor::slot_bytes_of) tells what a future needs: some bytes more than
    /// its size where its alignment is large, or its result.
    pub fn slot_bytes(mut self, bytes: usize) -> Self {
        self.size.bytes = bytes;
        self
    }

    /// Whether [`Executor::spawn_slab`] takes the heap for what finds no slot, instead of giving
    /// it back; not by default.
    pub fn spill_to_heap(mut self, spills: bool) -> Self {
        self.spills = spills;
        self
    }

    /// How many tasks a cycle polls at most, at least one; 61 by default. Fewer let whoever drives
    /// the executor look at other things more often.
    pub fn tasks_per_cycle(mut self, tasks: usize) -> Self {
        self.tasks_per_cycle = tasks.max(1);
        self
    }

    /// Makes it, on the thread that is to run its tasks.
    ///
    /// # Panics
    ///
    /// If that many slots of that size are more than there can be addresses.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> Executor {
        let Self { size, spills, tasks_per_cycle } = self;
        let Some(shared) = Shared::new(size) else {
            panic!("{} slots of {} bytes are more than memory can hold", size.slots, size.bytes);
        };
        let spawner = Spawner::new(shared, spills);
        Executor { spawner, tasks_per_cycle }
    }
}

impl Executor {
    /// With storage for so many tasks of at most 512 bytes.
    ///
    /// # Panics
    ///
    /// As [`ExecutorBuilder::build`].
    #[must_use]
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self::builder().slots(capacity).build()
    }

    /// With no storage claimed, unless it is told to.
    pub fn builder() -> ExecutorBuilder {
        let size = Size { slots: 0, bytes: SLOT_BYTES };
        ExecutorBuilder { size, spills: false, tasks_per_cycle: TASKS_PER_CYCLE }
    }

    /// What a future of this type needs of a slot, in bytes.
    #[must_use]
    pub const fn slot_bytes_of<F: Future>() -> usize {
        room::<F>().saturating_sub(OVERHEAD)
    }

    /// For tasks that make tasks.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// See [`Spawner::spawn`].
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        self.spawner.spawn(future)
    }

    /// See [`Spawner::spawn_boxed`].
    pub fn spawn_boxed<F: Future + 'static>(&self, future: F) -> TaskId {
        self.spawner.spawn_boxed(future)
    }

    /// See [`Spawner::spawn_slab`].
    ///
    /// # Errors
    ///
    /// As that.
    pub fn spawn_slab<F: Future + 'static>(&self, future: F) -> Result<TaskId, Unplaced<F>> {
        self.spawner.spawn_slab(future)
    }

    /// See [`Spawner::claim_slab`].
    ///
    /// # Panics
    ///
    /// As that.
    #[must_use]
    #[track_caller]
    pub fn claim_slab(&self) -> SlabClaim {
        self.spawner.claim_slab()
    }

    /// See [`Spawner::try_claim_slab`].
    #[must_use]
    pub fn try_claim_slab(&self) -> Option<SlabClaim> {
        self.spawner.try_claim_slab()
    }

    /// Runs one cycle: polls tasks that are ready, each once at most, and no more than
    /// [`set_tasks_per_cycle`](Self::set_tasks_per_cycle) says. Tells how many completed.
    pub fn poll(&mut self) -> usize {
        self.poll_while(|| true)
    }

    /// The same, for as long as `go_on` says so, which is asked before each task.
    pub fn poll_while(&mut self, go_on: impl FnMut() -> bool) -> usize {
        let completed = self.cycle(go_on);
        // Somebody else may sleep over it.
        self.spawner.shared().wake_driver();
        completed
    }

    /// The same for who looks himself what is left.
    pub(crate) fn cycle(&mut self, go_on: impl FnMut() -> bool) -> usize {
        self.spawner.shared().cycle(self.tasks_per_cycle, go_on)
    }

    /// Runs one cycle within another runtime's poll, which is woken when there is more to do.
    /// Ready when no task is left.
    ///
    /// A driver that polls with another waker from now on is woken by that one alone.
    pub fn poll_in(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.cycle(|| true);
        if self.sleep_in(cx) && self.task_count() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Has whoever drives this woken when there is more to do: at once, where there is now. True
    /// if there is not, and it may sleep.
    pub(crate) fn sleep_in(&mut self, cx: &Context<'_>) -> bool {
        let has_more = self.spawner.shared().sleep(cx.waker());
        if has_more {
            cx.waker().wake_by_ref();
        }
        !has_more
    }

    /// Awaits `future` and runs tasks meanwhile, within another runtime.
    ///
    /// What is spawned and not done when `future` completes waits for the next time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut executor = loom::local::Executor::new(8);
    /// let task = executor.spawn(async { tokio::task::yield_now().await; 7 });
    /// assert_eq!(executor.run_until(task).await.ok(), Some(7));
    /// # }
    /// ```
    pub async fn run_until<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            // Its tasks first: what `future` waits for may be one of them.
            let _ = self.poll_in(cx);
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Awaits all tasks, those included that they make, within another runtime.
    pub async fn run(&mut self) {
        poll_fn(|cx| self.poll_in(cx)).await;
    }

    /// Tasks that have not completed, but for those that other threads have sent since the last
    /// cycle.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.spawner.shared().len()
    }

    /// Whether the next cycle has something to do.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        self.spawner.shared().has_ready()
    }

    /// How many tasks a cycle polls at most; at least one.
    pub fn set_tasks_per_cycle(&mut self, tasks: usize) {
        self.tasks_per_cycle = tasks.max(1);
    }

    /// Drops the future of a task, now. False, and nothing else, if the task has completed, or is
    /// another executor's.
    pub fn cancel(&mut self, task: TaskId) -> bool {
        let was_there = self.spawner.shared().cancel(task);
        self.spawner.shared().wake_driver();
        was_there
    }

    /// Drops the futures of all tasks there are, now; tells how many there were. The executor can
    /// be used as before.
    pub fn drain(&mut self) -> usize {
        let cancelled = self.spawner.shared().cancel_all();
        self.spawner.shared().wake_driver();
        cancelled
    }

    /// For other threads that make tasks.
    #[must_use]
    pub fn remote_spawner(&self) -> RemoteSpawner {
        RemoteSpawner::of(&self.spawner)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.spawner.shared().close();
    }
}
