//! The caller's side of a future that is polled in several places.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::RawWakerVTable;

use crate::scheduler::Wake;

use super::super::complete::Job;
use super::super::outcome::{End, Queueing};

/// What a cell asks its caller, and tells it. Each call is made by the owner of the turn, but for
/// [`wake`](Self::wake), which needs no cell.
pub(crate) trait Host: Send + Sync + 'static {
    /// What the owners of the turn hand on to each other.
    type Turn: Send;
    /// What outlives the wake at the end of a poll on the pool.
    type After;
    /// The way to the queue. The future may end while its own job is being pushed, so this is no part of it.
    type Queue;

    /// [`waker_table`](super::waker_table) of this type, at one address: by it wakers of cells are known.
    fn table() -> &'static RawWakerVTable;

    /// What kind of wake the calling thread makes.
    fn wake() -> Wake;

    fn queue(&self) -> Self::Queue;

    /// Where the next poll runs, where no task asks for it: `Some` for the queue. `is_awaited`: a task
    /// waits, which can take the poll.
    fn place(&self, turn: &mut Self::Turn, wake: Wake, is_awaited: bool) -> Option<Queueing>;

    /// Counts a job in, then makes it, and pushes it. `None`: the future was given up, and the job is
    /// counted out.
    fn submit(queue: Self::Queue, job: &mut dyn FnMut() -> Option<Job>);

    /// A job that was counted in is not run. `waits`: no drainer has taken it, so it counts as waiting.
    fn withdraw(&self, waits: bool);

    /// Whether a poll may start on the pool, and whether one that runs is still wanted.
    fn may_start(&self) -> bool;

    /// Makes a poll on a thread of the pool.
    fn around(&self, turn: &mut Self::Turn, wake: Wake, poll: &mut dyn FnMut());

    /// Called at the end of a poll on the pool, with the end of the future, if it has ended. What this
    /// returns is dropped when the task was woken.
    fn after(&self, turn: &mut Self::Turn, end: Option<End>) -> Self::After;

    /// The future has ended, and is dropped; so is an outcome that nobody takes. `unwanted`: the handle
    /// gave it up.
    fn end(self, turn: Self::Turn, end: End, unwanted: bool);
}

/// Calls the host, whose panic is that of nobody's code that could take it.
pub(super) fn ask<R>(otherwise: R, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(otherwise)
}
