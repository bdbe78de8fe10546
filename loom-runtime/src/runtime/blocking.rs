//! Blocking functions, on threads that have the whole budget and normal priority.

use std::panic::resume_unwind;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::sync::atomic::Ordering;
use crate::sync::{Arc, thread};
use crate::topology::os;

use super::core::Core;
use super::lifecycle::Admitted;
use super::watch::threads_were_refused;
use super::{keeper, threads};

/// How long a function without any thread waits before it asks for one again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A function that waits for a thread, counted while it does.
struct Queued(Arc<Core>);

impl Queued {
    fn on(core: &Arc<Core>) -> Self {
        core.blocking_queued.fetch_add(1, Ordering::Relaxed);
        core.be_watched();
        Self(Arc::clone(core))
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.blocking_queued.fetch_sub(1, Ordering::Relaxed);
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
        threads::leave_worker_seat(admitted.core());
        let result = f();
        drop(admitted);
        result
    };
    // Tokio would panic, and keep the function in its queue.
    if admitted_core.has_no_blocking_thread()
        && let Err(error) = thread::Builder::new().spawn(|| ())
    {
        threads_were_refused(&admitted_core, &error);
        return tokio.spawn(once_there_is_a_thread(tokio.clone(), work));
    }
    // The thread that tokio starts for it inherits the class of the one that asks.
    let class = os::class();
    if class.is_idle || class.nice > class.base_nice {
        let tokio = tokio.clone();
        return keeper::run(move || tokio.spawn_blocking(work))
            .expect("it started this thread, or another of this process's");
    }
    tokio.spawn_blocking(work)
}

/// Asks the system now and then, and runs `work` when it gives in.
async fn once_there_is_a_thread<R, F>(tokio: Handle, work: F) -> R
where
    R: Send + 'static,
    F: FnOnce() -> R + Send + 'static,
{
    loop {
        sleep(ASK_AGAIN).await;
        if thread::Builder::new().spawn(|| ()).is_ok() {
            break;
        }
    }
    match tokio.spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => resume_unwind(payload),
            // The runtime ends, and this with it.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}
