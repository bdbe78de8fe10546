//! The public interface of an executor.
//!
//! It does not own the tasks or their protocol (`task/`), nor how tasks are made (`spawner.rs`).

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use super::join::JoinHandle;
use super::spawner::{RemoteSpawner, SlabClaim, Spawner, Unplaced};
use super::task::{OVERHEAD, Shared, Size, TaskId, room};
use crate::sync::{thread, unpark_waker};

/// How many tasks a cycle polls by default: as many as tokio polls before it checks its sockets.
const TASKS_PER_CYCLE: usize = 61;
/// Bytes of a slot by default: enough for most small futures.
const SLOT_BYTES: usize = 512;

/// Runs tasks that need not be `Send`, on the thread that made the executor.
///
/// A local core of a runtime runs an executor inside tokio. A program that makes an executor drives
/// it with [`poll`](Self::poll), or awaits it in any other runtime with
/// [`run_until`](Self::run_until).
///
/// Tasks are stored on the heap or, without an allocation, in storage that was claimed when the
/// executor was made. They are polled in the order in which they were queued; wakes from other
/// threads are queued at the start of the next cycle. If a cycle polls at most `l` tasks and `n`
/// tasks are always ready, each task is polled within ⌈n/l⌉ cycles.
/// Wakers of the tasks may be used on any thread, at any time, also after the executor was dropped.
/// If a task panics, its handle reports an error, and no other task is affected.
///
/// Dropping the executor drops every task on the executor's thread; the handles of these tasks
/// report that the tasks were cancelled.
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
    /// Claims storage for `slots` tasks. The memory of a slot is not touched before its first use.
    pub fn slots(mut self, slots: usize) -> Self {
        self.size.slots = slots;
        self
    }

    /// Bytes that each slot has for a future or its result, whichever is larger; 512 by default.
    /// [`slot_bytes_of`](Executor::slot_bytes_of) returns how many bytes a future needs: some more
    /// than its size if the alignment of the future or of its result is large.
    pub fn slot_bytes(mut self, bytes: usize) -> Self {
        self.size.bytes = bytes;
        self
    }

    /// Whether [`Executor::spawn_slab`] puts a future that finds no slot on the heap instead of
    /// returning it; false by default.
    pub fn spill_to_heap(mut self, spills: bool) -> Self {
        self.spills = spills;
        self
    }

    /// How many tasks a cycle polls at most, at least one; 61 by default. With fewer, the loop that
    /// drives the executor returns to its other work more often.
    pub fn tasks_per_cycle(mut self, tasks: usize) -> Self {
        self.tasks_per_cycle = tasks.max(1);
        self
    }

    /// Makes the executor, on the thread that is to run its tasks.
    ///
    /// # Panics
    ///
    /// If the total size of the slots exceeds the largest possible allocation.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> Executor {
        let Self { size, spills, tasks_per_cycle } = self;
        let Some(shared) = Shared::new(size) else {
            panic!(
                "{} slots of {} bytes exceed the largest possible allocation: use fewer or smaller \
                 slots",
                size.slots, size.bytes
            );
        };
        let spawner = Spawner::new(shared, spills);
        Executor { spawner, tasks_per_cycle }
    }
}

impl Executor {
    /// An executor with storage for `capacity` tasks of at most 512 bytes.
    ///
    /// # Panics
    ///
    /// As [`ExecutorBuilder::build`].
    #[must_use]
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self::builder().slots(capacity).build()
    }

    /// A builder for an executor. By default the executor claims no storage.
    pub fn builder() -> ExecutorBuilder {
        let size = Size { slots: 0, bytes: SLOT_BYTES };
        ExecutorBuilder { size, spills: false, tasks_per_cycle: TASKS_PER_CYCLE }
    }

    /// How many bytes of a slot a future of this type needs.
    #[must_use]
    pub const fn slot_bytes_of<F: Future>() -> usize {
        room::<F>().saturating_sub(OVERHEAD)
    }

    /// A spawner for code on this thread, for example for tasks that make tasks.
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
    /// As [`Spawner::spawn_slab`].
    pub fn spawn_slab<F: Future + 'static>(&self, future: F) -> Result<TaskId, Unplaced<F>> {
        self.spawner.spawn_slab(future)
    }

    /// See [`Spawner::claim_slab`].
    ///
    /// # Panics
    ///
    /// As [`Spawner::spawn_slab`].
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

    /// Runs one cycle: polls ready tasks, each at most once, and not more tasks than
    /// [`set_tasks_per_cycle`](Self::set_tasks_per_cycle) allows. Returns how many completed.
    pub fn poll(&mut self) -> usize {
        self.poll_while(|| true)
    }

    /// [`poll`](Self::poll), but the cycle ends as soon as `go_on` returns false. `go_on` is called
    /// before each task.
    pub fn poll_while(&mut self, go_on: impl FnMut() -> bool) -> usize {
        let completed = self.cycle(go_on);
        // Another future that drives this executor may be asleep.
        self.spawner.shared().wake_driver();
        completed
    }

    /// [`poll_while`](Self::poll_while) for a caller that checks what is left and needs no wake.
    pub(crate) fn cycle(&mut self, go_on: impl FnMut() -> bool) -> usize {
        self.spawner.shared().cycle(self.tasks_per_cycle, go_on)
    }

    /// Runs one cycle within the poll of another runtime's task, which is woken when there is more
    /// to do. Ready when no task is left.
    ///
    /// Only the waker of the latest call is woken.
    pub fn poll_in(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.cycle(|| true);
        if self.sleep_in(cx) && self.task_count() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Stores the driver's waker, which is woken when there is more to do, and at once if there is
    /// now. True if there is nothing to do now, so the driver may sleep.
    pub(crate) fn sleep_in(&mut self, cx: &Context<'_>) -> bool {
        let has_more = self.spawner.shared().sleep(cx.waker());
        if has_more {
            cx.waker().wake_by_ref();
        }
        !has_more
    }

    /// Awaits `future` and runs tasks meanwhile, within another runtime.
    ///
    /// Tasks that have not completed when `future` completes stay in the executor, until it is
    /// driven again.
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
            // The tasks first: `future` may wait for one of them.
            let _ = self.poll_in(cx);
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Awaits all tasks, including the tasks that they make, within another runtime.
    pub async fn run(&mut self) {
        poll_fn(|cx| self.poll_in(cx)).await;
    }

    /// How many tasks have not completed. Tasks that other threads have sent since the last cycle
    /// are not counted.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.spawner.shared().len()
    }

    /// Whether the next cycle has a task to poll or to end.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        self.spawner.shared().has_ready()
    }

    /// Sets how many tasks a cycle polls at most; at least one.
    pub fn set_tasks_per_cycle(&mut self, tasks: usize) {
        self.tasks_per_cycle = tasks.max(1);
    }

    /// Drops the future of a task now. Returns false and does nothing if the task has completed, or
    /// belongs to another executor. For a task that a [`RemoteSpawner`] made,
    /// it searches all tasks.
    pub fn cancel(&mut self, task: TaskId) -> bool {
        let was_cancelled = self.spawner.shared().cancel(task);
        self.spawner.shared().wake_driver();
        was_cancelled
    }

    /// Runs until every task has completed, including the tasks that they make. While no task is
    /// ready, the thread sleeps until a waker is called on another thread.
    ///
    /// It drives nothing but the executor. A task that waits for a timer or socket that this thread
    /// itself drives never completes, and the call then blocks for good: use [`run`](Self::run)
    /// within tokio, and with a `ClockDriver` call [`poll`](Self::poll) and `advance_timers` in
    /// turn. [`cancel`](Self::cancel) a task that never completes before, or use
    /// [`cancel_all`](Self::cancel_all).
    ///
    /// ```
    /// let mut executor = loom::local::Executor::new(8);
    /// let (sender, receiver) = tokio::sync::oneshot::channel();
    /// let task = executor.spawn(receiver);
    /// std::thread::spawn(move || sender.send(7));
    /// executor.drain();
    /// assert!(task.is_finished() && executor.task_count() == 0);
    /// ```
    pub fn drain(&mut self) {
        let waker = unpark_waker();
        let cx = Context::from_waker(&waker);
        // Another driver that is asleep looks again once this one is done.
        self.spawner.shared().wake_sleeper();
        loop {
            self.cycle(|| true);
            if self.has_ready() {
                continue;
            }
            if self.task_count() == 0 {
                break;
            }
            // A waker that is called from here on unparks the thread, also before it parks.
            if self.sleep_in(&cx) {
                thread::park();
            }
        }
        self.spawner.shared().forget_sleeper();
    }

    /// Drops the futures of all tasks now, and returns how many it cancelled. Tasks that the drops
    /// of these futures spawn stay. A panic of such a drop goes to the task's handle. The executor
    /// can be used as before.
    pub fn cancel_all(&mut self) -> usize {
        let cancelled = self.spawner.shared().cancel_all();
        self.spawner.shared().wake_driver();
        cancelled
    }

    /// A spawner for other threads.
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
