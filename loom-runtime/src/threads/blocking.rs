//! Runs blocking functions on threads that may use the whole budget at normal priority.

use std::io;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::sync::{Arc, Mutex, PoisonError, thread};
use crate::topology::os;

use crate::core::{Admitted, Core};

use super::alarm::Alarm;
use super::io::leave_worker_cpu;
use super::keeper;
use super::warn::{threads_were_refused, try_thread};
use super::watch::watch_while_busy;

/// How long a function waits before it asks for a thread again, where the system refused one.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A function that waits for a thread; it is counted until this is dropped.
struct Queued(Arc<Core>);

impl Queued {
    fn on(core: &Arc<Core>) -> Self {
        core.blocking_queued.begin();
        watch_while_busy(core);
        Self(Arc::clone(core))
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.blocking_queued.end();
    }
}

pub(crate) fn spawn<F, R>(admitted: Admitted, tokio: &Handle, f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let admitted_core = Arc::clone(admitted.core());
    let queued = Queued::on(&admitted_core);
    let work = move || {
        drop(queued);
        leave_worker_cpu(admitted.core());
        let result = f();
        drop(admitted);
        result
    };
    // Without this check, tokio would panic here and keep the function in its queue.
    if admitted_core.has_no_blocking_thread()
        && let Err(error) = try_thread()
    {
        threads_were_refused(&admitted_core, &error);
        return tokio.spawn(once_there_is_a_thread(tokio.clone(), work));
    }
    // A thread that tokio starts for the function inherits the class of the calling thread.
    let class = os::class();
    if class.is_idle || class.nice > class.base_nice {
        // Kept here as well: if tokio does not take the function, this thread drops it, and not the
        // keeper.
        let kept = Arc::new(Mutex::new(Some(work)));
        let work = {
            let kept = Arc::clone(&kept);
            move || {
                let work = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
                work.map(|work| work()).expect("it is called once")
            }
        };
        let started = keeper::order(SpawnBlocking { tokio: tokio.clone(), work }).flatten();
        if let Ok(Ok(task)) = started.map(thread::JoinHandle::join) {
            return task;
        }
        // There is no keeper: a low priority is better than not running at all.
        let work = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        return tokio.spawn_blocking(work.expect("without a keeper, it was not called"));
    }
    tokio.spawn_blocking(work)
}

/// Has tokio run a blocking function, which the thread that orders it keeps as well. On a thread of
/// its own: tokio names the thread that it starts, which may be code of the user.
struct SpawnBlocking<F> {
    tokio: Handle,
    work: F,
}

impl<F, R> keeper::Order for SpawnBlocking<F>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    type Answer = io::Result<thread::JoinHandle<JoinHandle<R>>>;

    fn carry_out(self) -> Self::Answer {
        let spawn = move || self.tokio.spawn_blocking(self.work);
        thread::Builder::new().name("loom-spawn".to_owned()).spawn(spawn)
    }
}

/// Asks the system for a thread every 100 ms, and runs `work` once the system grants one.
async fn once_there_is_a_thread<R, F>(tokio: Handle, work: F) -> R
where
    R: Send + 'static,
    F: FnOnce() -> R + Send + 'static,
{
    loop {
        Alarm::at(Instant::now() + ASK_AGAIN).await;
        if try_thread().is_ok() {
            break;
        }
    }
    match tokio.spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => resume_unwind(payload),
            // The runtime ends, and drops this task.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}
