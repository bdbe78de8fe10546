//! What kind of wake a thread makes.

use std::cell::Cell;

use tokio::runtime::worker_index;
use tokio::task::{self, Id};

use crate::core::local_core;
use crate::scheduler::Wake;

/// The numbers that were seen on a thread.
#[derive(Clone, Copy)]
struct Seen {
    /// That of the worker itself, as far as is known: the lowest one.
    worker: Option<(u64, Id)>,
    /// The last one of a task.
    task: Option<Id>,
}

thread_local! {
    static SEEN: Cell<Seen> = const { Cell::new(Seen { worker: None, task: None }) };
}

/// The kind of a wake that the calling thread makes now.
///
/// Tokio runs a worker as a task of its blocking pool. So a worker that drives I/O and timers has a number,
/// too: nearly always a lower one than the tasks that it polls, which were spawned after its start.
pub(super) fn kind() -> Wake {
    let Some(id) = task::try_id() else {
        return if local_core::is_here() { Wake::Driver } else { Wake::Thread };
    };
    if worker_index().is_none() {
        // A blocking thread, or a future that a thread drives.
        return Wake::Thread;
    }
    let seen = SEEN.get();
    if seen.worker.is_some_and(|(_, worker)| worker == id) {
        return Wake::Driver;
    }
    if seen.task == Some(id) {
        return Wake::Task;
    }
    // Tokio shows the number by its text alone.
    let number = id.to_string().parse().unwrap_or(u64::MAX);
    if seen.worker.is_none_or(|(worker, _)| number < worker) {
        SEEN.set(Seen { worker: Some((number, id)), ..seen });
        return Wake::Driver;
    }
    SEEN.set(Seen { task: Some(id), ..seen });
    Wake::Task
}
