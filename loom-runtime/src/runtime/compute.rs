//! Offloaded calls: the bridge between the current task and the compute pool.

use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::Handle;

use crate::bridge::{self, Call, End, Fault};
use crate::scheduler::{LONGEST_OVERHEAD, Site};
use crate::sync::Arc;

use super::core::Core;
use super::lifecycle::{Admitted, Refusal};

/// Work on the compute pool, as a future of its result.
///
/// The work was submitted when this was made; awaiting it only waits.
///
/// - Dropped before it was ever polled, or given to [`detach`](Self::detach): the work
///   runs to its end without an audience.
/// - Dropped after a poll (a timeout, a `select!`): work that has not started never runs;
///   work that runs finishes, and its result is dropped on the compute thread. The drop
///   itself never blocks.
///
/// # Panics
///
/// A panic of the work is raised again by the poll that would have given the result.
/// Work that was still queued when the last handle of its runtime went makes the poll
/// panic with the reason.
#[must_use = "the work runs, but its result is lost; await it, or say `.detach()`"]
pub struct ComputeFuture<R> {
    call: Call<Timed<R>>,
    core: Arc<Core>,
    site: Option<&'static Site>,
    submitted: Instant,
    /// A compute thread should have been free, so the round trip tells what the bridge costs.
    uncontended: bool,
    /// Somebody was waiting when it completed, so the way back was not of their making.
    waited: bool,
}

/// Takes in how long the closure took, however it ends.
struct Measured<'a> {
    core: &'a Core,
    site: Option<&'static Site>,
    started: Instant,
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        if let Some(site) = self.site {
            self.core.function(site).ran(self.started.elapsed());
        }
    }
}

/// A result, and when it was worked on.
struct Timed<R> {
    value: R,
    started: Instant,
    ended: Instant,
}

/// Submits `f` to the compute pool of the core that admitted it, as a call of `site` if it
/// is one.
#[track_caller]
pub(crate) fn offload<F, R>(
    admitted: Admitted,
    site: Option<&'static Site>,
    f: F,
) -> ComputeFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let core = Arc::clone(admitted.core());
    let Some(pool) = core.pool() else {
        let why = if core.compute_threads == 0 { Refusal::NoPool } else { Refusal::ShutDown };
        panic!("{why}");
    };
    let uncontended = core.begin_call();
    let submitted = Instant::now();
    let timed = {
        let core = Arc::clone(&core);
        move || {
            let started = Instant::now();
            let measured = Measured { core: &core, site, started };
            let value = f();
            drop(measured);
            Timed { value, started, ended: Instant::now() }
        }
    };
    let (job, call) = bridge::call(timed);
    // Our own compute threads have entered our tokio; those of the process-wide pool
    // serve whichever runtime asks.
    let guest = if core.is_process_wide() { Handle::try_current().ok() } else { None };
    pool.spawn(move || {
        let _entered = guest.as_ref().map(Handle::enter);
        if admitted.core().lifecycle.is_gone() {
            admitted.core().end_call();
            drop(job);
            return;
        }
        job.run(move |end| {
            let core = admitted.core();
            core.end_call();
            if end == End::Panicked {
                core.counters.compute_panics.add_one();
                if let Some(site) = site {
                    core.function(site).counters.panicked.add_one();
                }
            }
            drop(admitted);
        });
    });
    ComputeFuture { call, core, site, submitted, uncontended, waited: false }
}

impl<R> ComputeFuture<R> {
    /// Lets the work run to its end without anyone waiting for it.
    ///
    /// It stays tracked: a graceful shutdown waits for it. A panic is counted, and
    /// reported by the panic hook like that of any thread.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().build()?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// runtime.spawn_compute(move || sender.send(6 * 7)).detach();
    /// assert_eq!(receiver.recv(), Ok(42));
    /// # Ok(())
    /// # }
    /// ```
    pub fn detach(mut self) {
        self.call.detach();
    }

    fn resolve(&self, outcome: Result<Timed<R>, Fault>) -> R {
        match outcome {
            Ok(Timed { value, started, ended }) => {
                if self.uncontended && self.waited {
                    let there = started.saturating_duration_since(self.submitted);
                    let overhead = (there + ended.elapsed()).min(LONGEST_OVERHEAD);
                    self.core.overhead.record(overhead);
                }
                value
            }
            Err(Fault::Panicked(payload)) => resume_unwind(payload),
            Err(Fault::Refused) => panic!("{}", Refusal::ShutDown),
        }
    }
}

impl<R> Future for ComputeFuture<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        match Pin::new(&mut self.call).poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(self.resolve(outcome)),
            Poll::Pending => {
                self.waited = true;
                Poll::Pending
            }
        }
    }
}

impl<R> Drop for ComputeFuture<R> {
    fn drop(&mut self) {
        if self.call.abandon() {
            self.core.counters.abandoned.add_one();
            if let Some(site) = self.site {
                self.core.function(site).counters.abandoned.add_one();
            }
        }
    }
}

impl<R> fmt::Debug for ComputeFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputeFuture")
            .field("function", &self.site.map(Site::path))
            .finish_non_exhaustive()
    }
}
