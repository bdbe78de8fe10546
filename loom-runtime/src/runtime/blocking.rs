//! Blocking functions, on threads that have the whole budget and normal priority.

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::topology::os;

use super::core::Core;
use super::lifecycle::Admitted;
use super::{keeper, threads};

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
    let queued = Queued::on(admitted.core());
    let work = move || {
        drop(queued);
        threads::leave_worker_seat(admitted.core());
        let result = f();
        drop(admitted);
        result
    };
    // The thread that tokio starts for it inherits the class of the one that asks.
    let class = os::class();
    if class.is_idle || class.nice > class.base_nice {
        let tokio = tokio.clone();
        let spawned = keeper::run(move || tokio.spawn_blocking(work));
        return spawned.unwrap_or_else(|error| {
            panic!(
                "cannot start a thread for a blocking function: {error}; raise the limit on \
                 threads (`ulimit -u`)"
            )
        });
    }
    tokio.spawn_blocking(work)
}
