//! Scopes: parallel work on the compute pool that borrows data of its caller.
//!
//! Owns the futures of scopes, and the wait of a worker for borrowing work. A future may be leaked,
//! and its borrow would then end while threads still use it. So a borrowing scope runs within one
//! poll, which returns when all of the scope's work has ended. Such a poll should delay only its
//! own task. So it gives its I/O worker's other tasks to another thread as soon as it takes longer
//! than that costs.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor, worker_index};
use tokio::task::block_in_place;

use crate::bridge::{self, Fault, Lent};
use crate::core::{Admitted, Core, Refusal, ScopeTimes};
use crate::panics::ignore_panic;
use crate::scheduler::ComputeHint;
use crate::sync::{Arc, thread};
use crate::threads::{begin_call, drainer, lend_place};

use super::accounting::{CallObserver, CallOptions, QueueTimer};
use super::baggage::Baggage;
use super::compute::{ComputeFuture, offload};
use super::parallel::{Scope, in_scope};
use super::spin;

/// A borrowing scope, as a future of the result of its closure.
///
/// The scope starts with the first poll, and that poll returns when the scope has ended. So the
/// borrowed data may be used again when the future is ready or dropped.
///
/// A `timeout` or a `select!` around it cannot end it early, nor can a drop. Where that is needed,
/// use [`scope_compute_with`](crate::scope_compute_with), which takes ownership of the data.
///
/// Where a worker of a multi-thread runtime drives a `LocalSet` or another runtime, tokio refuses to give
/// the worker's tasks to another thread, by a panic. Loom catches that panic and waits all the same, but
/// the program's panic hook runs, and with `panic = "abort"` the process ends. Use
/// [`scope_compute_with`](crate::scope_compute_with) there.
///
/// # Panics
///
/// When the closure or work that it spawned panics, once all of the work has ended; on a runtime
/// that has been shut down, to which the system refused threads, or whose threads stayed in the
/// parent of a fork; and when it is polled again after it was ready.
#[must_use = "nothing runs before it is awaited"]
pub struct ScopeFuture<'env, F, R> {
    core: Arc<Core>,
    /// `None` once it has run.
    f: Option<F>,
    hint: ComputeHint,
    /// How long scopes of this closure and place take.
    learned: Arc<ScopeTimes>,
    /// The future calls `f` with a scope that lives as long as what `f` borrows, and returns its
    /// result.
    result: PhantomData<fn(&Scope<'env>) -> R>,
}

/// The closure is only moved out, never pinned.
impl<F, R> Unpin for ScopeFuture<'_, F, R> {}

impl<'env, F, R> ScopeFuture<'env, F, R>
where
    F: FnOnce(&Scope<'env>) -> R + Send + 'env,
    R: Send + 'env,
{
    /// A scope whose run time is learned for each closure and each place of its call.
    pub(crate) fn new(
        core: Arc<Core>,
        hint: ComputeHint,
        called: &'static Location<'static>,
        f: F,
    ) -> Self {
        let learned = core.closures.of_scopes(typeid::of::<F>(), called);
        Self { core, f: Some(f), hint, learned, result: PhantomData }
    }

    /// How long the poll spins before it gives its worker's other tasks away.
    fn patience(&self) -> Option<Duration> {
        // A measured time outweighs the hint.
        let expected = self.learned.mean_micros();
        let is_long = matches!(self.hint, ComputeHint::Medium | ComputeHint::High);
        if expected.is_none() && is_long { None } else { spin::lent_patience(&self.core, expected) }
    }
}

impl<'env, F, R> Future for ScopeFuture<'env, F, R>
where
    F: FnOnce(&Scope<'env>) -> R + Send + 'env,
    R: Send + 'env,
{
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<R> {
        let patience = self.patience();
        let Some(f) = self.f.take() else { panic!("a scope was polled after it had completed") };
        let admitted = Admitted::or_panic(&self.core);
        let core = &self.core;
        if core.is_own_compute_thread() {
            // A compute thread runs the scope itself.
            return Poll::Ready(run_here(admitted, f));
        }
        let work = move || {
            let started = Instant::now();
            let value = in_scope(f);
            (value, started.elapsed())
        };
        Poll::Ready(match lend(core, admitted, CallOptions::default(), patience, work) {
            Ok((value, took)) => {
                self.learned.record(took);
                value
            }
            Err(Fault::Panicked(payload)) => resume_unwind(payload),
            Err(Fault::Refused) => panic!("{}", Refusal::ShutDown),
        })
    }
}

impl<F, R> fmt::Debug for ScopeFuture<'_, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFuture").finish_non_exhaustive()
    }
}

/// Runs a scope on the calling thread, which is a thread of the pool.
fn run_here<'env, F, R>(admitted: Admitted, f: F) -> R
where
    F: FnOnce(&Scope<'env>) -> R + Send,
    R: Send,
{
    struct InFlight(Admitted);
    impl Drop for InFlight {
        fn drop(&mut self) {
            self.0.core().end_call(thread::panicking());
        }
    }
    begin_call(admitted.core());
    let _counted = InFlight(admitted);
    in_scope(f)
}

/// Runs borrowing work on the pool, and waits for its end: for up to `patience` with a spin.
pub(super) fn lend<F, R>(
    core: &Arc<Core>,
    admitted: Admitted,
    options: CallOptions,
    patience: Option<Duration>,
    f: F,
) -> bridge::Outcome<R>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    assert!(core.compute_threads > 0, "{}", Refusal::NoPool);
    // Threads of the process-wide pool serve every tokio runtime, and enter the caller's here.
    let tokio = if core.is_process_wide() { Handle::try_current().ok() } else { None };
    let queued = QueueTimer::of(core, &options);
    let function = options.function.as_deref();
    let baggage = Baggage::pack(options.carrying, function, type_name::<F>);
    let CallOptions { function, priority, .. } = options;
    let work = move || {
        let _entered = tokio.as_ref().map(Handle::enter);
        if let Some(queued) = queued {
            queued.starts(&baggage.span);
        }
        baggage.unpack(f)
    };
    let searching = core.queue.searching();
    begin_call(core);
    #[cfg(feature = "tower")]
    if function.is_none() {
        crate::core::route::joins_queue();
    }
    let observer = CallObserver::new(admitted, function);
    let submit = |job| {
        // There is no limit, so the queue accepts the job. If it did not, the drop of the job
        // would refuse the call.
        if let Some(generation) = core.queue.enter(usize::MAX).and_then(|place| place.submit(job)) {
            drainer::fetch(core, generation);
        }
    };
    let may_spin = searching > 0 && !core.drainer_cpus.may_all_be_here(searching);
    let patience = patience.filter(|_| may_spin);
    let wait = |lent: &Lent<'_, _>| {
        if patience.is_some_and(|patience| ends_within(lent, patience)) {
            return;
        }
        // This may be a compute thread of another runtime, and the lent work may wait for work of
        // that runtime. If no spare can take its place, it waits all the same: the borrow has to
        // end.
        let place = lend_place().ok().flatten();
        if place.is_some() {
            lent.park();
        } else if !core.owner.block_in_place(|| lent.park()) && is_on_a_worker() {
            // Tokio panics where a worker drives another runtime, and has no query for that. It
            // panics before the wait.
            ignore_panic(|| block_in_place(|| lent.park()));
        }
        // On other threads a wait delays no other task, or cannot avoid it: `bridge::lend` parks.
    };
    bridge::lend(work, observer, priority, submit, wait)
}

/// Spins for at most so long, and returns whether the work has ended.
fn ends_within<R>(lent: &Lent<'_, R>, patience: Duration) -> bool {
    let since = Instant::now();
    while since.elapsed() < patience {
        for _ in 0..16 {
            if lent.is_done() {
                return true;
            }
            std::hint::spin_loop();
        }
    }
    false
}

/// Whether the thread is a worker of a multi-thread tokio runtime, which can give tasks away.
pub(crate) fn is_on_a_worker() -> bool {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    worker_index().is_some() && flavor.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread)
}

/// A scope that owns the state that its work uses, and returns the state with the result.
#[track_caller]
pub(crate) fn owned<S, F, R>(core: &Arc<Core>, state: S, f: F) -> ComputeFuture<(S, R)>
where
    S: Send + Sync + 'static,
    F: for<'scope> FnOnce(&Scope<'scope>, &'scope S) -> R + Send + 'static,
    R: Send + 'static,
{
    let work = move || {
        let result = in_scope(|scope| f(scope, &state));
        (state, result)
    };
    ComputeFuture::or_panic(offload(core, Admitted::or_panic(core), CallOptions::default(), work))
}
