//! Submits a call, and what goes along with its closure.
//!
//! The compiler makes generic code anew for each function. So the generic part is small ([`Work`]), and
//! the rest is compiled once.

use std::any::{TypeId, type_name};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::bridge::{self, Call, Job, Queueing};
#[cfg(feature = "tower")]
use crate::core::route;
use crate::core::{Admitted, Core, Function, Refusal};
use crate::scheduler::Overhead;
use crate::sync::Arc;
use crate::threads::{begin_call, drainer};

use super::accounting::{CallObserver, CallOptions, Conditions, QueueTimer};
use super::baggage::Baggage;
use super::due::{Due, Expiry};
use super::spin;
use super::through::through;

/// The closure of a call, which runs here or goes to the pool; afterwards its result, or the call.
pub(super) struct Work<F, R> {
    f: Option<F>,
    result: Option<R>,
    call: Option<Call<Timed<R>>>,
}

/// A result, and the start and end of the work where the call is timed.
pub(super) struct Timed<R> {
    pub(super) value: R,
    pub(super) times: Option<(Instant, Instant)>,
}

/// The result of work that ran here, or the call of work that went to the pool.
pub(super) type Ended<R> = (Option<R>, Option<Call<Timed<R>>>);

/// Work of any type.
pub(super) trait AnyWork {
    /// Runs the closure here.
    fn run(&mut self);

    /// Makes the slot of the call, and its job.
    fn job(&mut self, luggage: Luggage, observer: CallObserver, queueing: Queueing) -> Job;

    /// The type of the closure, and the type's name.
    fn closure(&self) -> (TypeId, fn() -> &'static str);
}

impl<F, R> Work<F, R> {
    pub(super) fn new(f: F) -> Self {
        Self { f: Some(f), result: None, call: None }
    }

    pub(super) fn ended(self) -> Ended<R> {
        (self.result, self.call)
    }
}

impl<F, R> AnyWork for Work<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn run(&mut self) {
        self.result = self.f.take().map(|f| f());
    }

    fn job(&mut self, luggage: Luggage, observer: CallObserver, queueing: Queueing) -> Job {
        let Some(f) = self.f.take() else { unreachable!("it runs once") };
        let work = move || {
            let (value, times) = through(f, |f| luggage.around(f));
            Timed { value, times }
        };
        let (job, call) = bridge::call(work, observer, queueing);
        self.call = Some(call);
        job
    }

    fn closure(&self) -> (TypeId, fn() -> &'static str) {
        (TypeId::of::<F>(), type_name::<F>)
    }
}

/// What goes with a closure to the thread that runs it.
pub(super) struct Luggage {
    baggage: Baggage,
    queued: Option<QueueTimer>,
    tokio: Option<Handle>,
    closure: TypeId,
}

/// A call that was submitted.
pub(super) struct Submitted {
    /// How long the first poll may wait on the spot, once the call has started.
    pub(super) patience: Option<Duration>,
    pub(super) sampled: Option<Sampled>,
    /// Where the call has a deadline.
    pub(super) expiry: Option<Box<Expiry>>,
}

/// The core whose overhead is learned from the round trip of a call.
pub(super) struct Sampled {
    core: Arc<Core>,
    /// That of the tokio runtime that calls, where the runtime has no I/O side of its own.
    overhead: Option<Arc<Overhead>>,
    submitted: Instant,
}

/// Submits work, unless `limit` calls wait already.
pub(super) fn submit(
    limit: usize,
    core: &Arc<Core>,
    admitted: Admitted,
    options: CallOptions,
    work: &mut dyn AnyWork,
) -> Result<Submitted, Refusal> {
    if core.compute_threads == 0 {
        return Err(Refusal::NoPool);
    }
    if core.queue.waiting() >= limit {
        return Err(full(core, limit, options.function.as_deref()));
    }
    let queued = QueueTimer::of(core, &options);
    let (closure, name) = work.closure();
    // Packed before the call is counted in, since it runs code of the user, which may panic.
    let baggage = Baggage::pack(options.carrying, options.function.as_deref(), name);
    let before = begin_call(core);
    let CallOptions { function, priority, permit, .. } = options;
    #[cfg(feature = "tower")]
    if function.is_none() {
        route::joins_queue();
    }
    let run_times = function
        .as_ref()
        .map_or_else(|| core.closures.of_calls(closure), |function| &function.on_pool);
    let micros = run_times.micros();
    // Only where a compute thread should be free does the round trip show what the bridge costs.
    let sampled = queued.as_ref().filter(|_| before < core.compute_threads);
    let sampled = sampled.map(|queued| Sampled {
        core: Arc::clone(core),
        overhead: core.overhead_of_caller(),
        submitted: queued.submitted(),
    });
    // Compute threads of a runtime have entered that runtime's tokio. Threads of the process-wide
    // pool serve every tokio runtime, and enter the caller's.
    let tokio = if core.is_process_wide() { Handle::try_current().ok() } else { None };
    let luggage = Luggage { baggage, queued, tokio, closure };
    let due = Due::of(function.as_deref());
    let expiry = due.as_ref().map(|due| Box::new(Expiry::of(due, function.as_deref())));
    let observer = CallObserver::new(admitted, function).with(Conditions { permit, due });
    let job = work.job(luggage, observer, Queueing { priority, micros });
    let searching = core.queue.searching();
    // This comes last, since drainers look for the job from here on. Where the queue has just
    // become full, the job is dropped, which counts it out again.
    let Some(place) = core.queue.enter(limit) else {
        // The dropped job counts the refusal for its function, so this must not.
        return Err(full(core, limit, None));
    };
    if let Some(generation) = place.submit(job) {
        drainer::fetch(core, generation);
    }
    let is_expected_soon =
        searching > 0 && before == 0 && !core.drainer_cpus.may_all_be_here(searching);
    let patience = if is_expected_soon { spin::patience(core, micros) } else { None };
    Ok(Submitted { patience, sampled, expiry })
}

impl Luggage {
    /// Calls `f` with this in place, and returns when it started and ended, if the call is timed.
    pub(super) fn around(self, f: &mut (dyn FnMut() + Send)) -> Option<(Instant, Instant)> {
        let Self { baggage, queued, tokio, closure } = self;
        let _entered = tokio.as_ref().map(Handle::enter);
        let Some(queued) = queued else {
            baggage.unpack_around(f);
            return None;
        };
        let started = queued.starts(&baggage.span);
        let measured = queued.measured(started, closure);
        baggage.unpack_around(f);
        drop(measured);
        Some((started, Instant::now()))
    }
}

impl Sampled {
    /// Records the round trip of a call that has just come back, by when its work started and ended.
    pub(super) fn record(self, (started, ended): (Instant, Instant)) {
        let Self { core, overhead, submitted } = self;
        let there = started.saturating_duration_since(submitted);
        let nanos = (there + ended.elapsed()).as_secs_f64() * 1e9;
        overhead.as_ref().unwrap_or(&core.io.overhead).record(nanos, core.now());
    }
}

fn full(core: &Core, limit: usize, function: Option<&Function>) -> Refusal {
    core.counters.refused.add_one();
    function.inspect(|function| function.counters.refused.add_one());
    Refusal::QueueFull(limit)
}
