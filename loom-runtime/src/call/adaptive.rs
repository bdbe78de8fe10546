//! Adaptive calls: the scheduler decides the arm, and both arms are measured.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::worker_index;

use crate::core::{Admitted, Core, Function, Stopwatch, Told, local_core, nanos, thread_stats};
use crate::pool::Boxed;
use crate::scheduler::{Arm, Decision, Run, Site, Used};
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, thread};

use super::accounting::CallOptions;
use super::compute::{ComputeFuture, Offloaded, try_offload};
use super::decide::{CallInfo, decide};
use super::entering::Terms;
use super::fallible::TryComputeFuture;
use super::refused;
use super::spans;
use super::submit::{AnyWork, Ended, Submitted, Work, submit};
use super::turn::{steps, use_up};

/// A call that Loom placed, as a future of its result.
///
/// An offloaded call behaves as [`ComputeFuture`] does. An inline call has already ended when this
/// exists; the first poll returns its result, or raises its panic again.
#[must_use = "the work runs, but its result is lost; await it, or say `.detach()`"]
pub struct AdaptiveFuture<R>(Placed<R>);

enum Placed<R> {
    /// The result, `None` once it was taken; and the budget steps that the call has to use up.
    Inline(Option<thread::Result<R>>, u32),
    /// In a block, so that an inline call, of which there are many more, is not as large.
    Offloaded(Boxed<ComputeFuture<R>>),
}

/// Runs a settled call: inline by this thread's verdict. It reads only the coarse clock of `os::tick`.
#[inline]
pub(crate) fn settled<F, R>(
    site: &'static Site,
    class: u8,
    core: impl FnOnce() -> Arc<Core>,
    f: F,
) -> AdaptiveFuture<R>
where
    F: FnOnce() -> R,
{
    // The panic is caught so that on both arms the await raises it.
    let result = catch_unwind(AssertUnwindSafe(|| spans::inline(site, f)));
    let result = result.map_err(|payload| panicked(site, class, core, payload));
    AdaptiveFuture(Placed::Inline(Some(result), 0))
}

/// Counts the panic of a settled call.
#[cold]
fn panicked(
    site: &'static Site,
    class: u8,
    core: impl FnOnce() -> Arc<Core>,
    payload: Payload,
) -> Payload {
    let core = core();
    ended_by(&core, core.function(site, class), payload)
}

/// Runs `f` on the arm that the scheduler decides for the call of `info`.
#[track_caller]
#[inline]
pub(crate) fn place<F, R>(core: &Arc<Core>, info: CallInfo, f: F) -> AdaptiveFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let CallInfo { site, class, .. } = info;
    if thread_stats::is_settled(core, site.index(class)) {
        return settled(site, class, || Arc::clone(core), f);
    }
    let mut work = Work::new(f);
    let placed = place_work(core, info, &mut work);
    AdaptiveFuture::of(placed, work.ended())
}

/// Where work went: it ran here, with this end and these budget steps, or it was submitted.
pub(super) enum PlacedWork {
    Inline(thread::Result<()>, u32),
    Offloaded(Submitted),
}

/// Places a measured call of any type.
#[track_caller]
pub(super) fn place_work(core: &Arc<Core>, info: CallInfo, work: &mut dyn AnyWork) -> PlacedWork {
    let admitted = Admitted::or_panic(core);
    place_decided(admitted, info, decide(core, info), Terms::default(), work)
}

/// Places work whose arm is decided.
#[track_caller]
pub(super) fn place_decided(
    admitted: Admitted,
    info: CallInfo,
    decision: Decision,
    terms: Terms,
    work: &mut dyn AnyWork,
) -> PlacedWork {
    let core = &Arc::clone(admitted.core());
    let function = info.function(core);
    let Terms { permit, is_unwilling } = terms;
    match decision.arm {
        Arm::InlineTokio => {
            let (end, turn) = run_inline(core, function, decision, || work.run());
            drop(permit);
            PlacedWork::Inline(end, turn)
        }
        Arm::OffloadRayon => {
            let options = CallOptions { permit, ..info.options(core) };
            let limit = if is_unwilling { core.compute_queue } else { usize::MAX };
            match submit(limit, core, admitted, options, work) {
                Ok(submitted) => {
                    function.counters.offloaded.add_one();
                    PlacedWork::Offloaded(submitted)
                }
                Err(refusal) if is_unwilling => resume_unwind(Box::new(refusal)),
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }
}

/// Places a call as [`place`] does, but returns an error where [`place`] panics.
pub(crate) fn try_place<F, R>(core: &Arc<Core>, info: CallInfo, f: F) -> TryComputeFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let CallInfo { site, class, .. } = info;
    let function = core.function(site, class);
    if thread_stats::is_settled(core, site.index(class)) {
        let AdaptiveFuture(placed) = settled(site, class, || Arc::clone(core), f);
        if let Placed::Inline(Some(result), _) = placed {
            return TryComputeFuture::ended(result, 0);
        }
        unreachable!("a settled call has ended with a result");
    }
    let admitted = match Admitted::to(core) {
        Ok(admitted) => admitted,
        Err(refusal) => return TryComputeFuture::new(Err(refusal)),
    };
    let decision = decide(core, info);
    match decision.arm {
        Arm::InlineTokio => {
            let (result, turn) = run_inline(core, function, decision, f);
            drop(admitted);
            TryComputeFuture::ended(result, turn)
        }
        Arm::OffloadRayon => {
            drop(admitted);
            let offloaded = try_offload(core, info.options(core), f);
            if offloaded.is_ok() {
                function.counters.offloaded.add_one();
            }
            TryComputeFuture::new(offloaded)
        }
    }
}

pub(super) type Payload = Box<dyn Any + Send>;

/// Counts the panic of an inline call, and returns the payload with which it goes on.
#[cold]
pub(super) fn ended_by(core: &Core, function: &Function, payload: Payload) -> Payload {
    function.counters.panicked_inline.add_one();
    refused::explain(core, function, payload)
}

/// Runs a call inline, and records its run time, which also stands for the settled calls before it.
/// Returns the result, and the budget steps that all of them use up.
pub(crate) fn run_inline<R>(
    core: &Core,
    function: &Function,
    decision: Decision,
    f: impl FnOnce() -> R,
) -> (thread::Result<R>, u32) {
    // The panic is caught so that on both arms the await raises it.
    let run = || catch_unwind(AssertUnwindSafe(|| spans::inline(function.site, f)));
    let (result, turn) = run_timed(core, function, decision, run, |_| ());
    (result.map_err(|payload| ended_by(core, function, payload)), turn)
}

/// Calls `f`, which does not panic, as [`run_inline`] runs a call. `seen` is told how long it took.
pub(super) fn run_timed<R>(
    core: &Core,
    function: &Function,
    decision: Decision,
    f: impl FnOnce() -> R,
    seen: impl FnOnce(Run),
) -> (R, u32) {
    if decision.is_withheld && is_on_io_worker() {
        let now = core.now();
        core.with_io_side(|side| side.withheld.begins(decision.expected, now));
    }
    let told = Told::so_far();
    let watch = Stopwatch::start(function.record.wants_look(Arm::InlineTokio, decision.expected));
    let result = f();
    let run = watch.stop();
    let took = nanos(run.took);
    if took >= TOLD_OF {
        let cpu = if let Used::Cpu(cpu, _) = run.used { nanos(cpu) } else { took };
        told.tell(took, cpu);
    }
    seen(run);
    (result, ran_inline(core, function, decision, run))
}

fn is_on_io_worker() -> bool {
    worker_index().is_some() && !local_core::is_here() && rayon::current_thread_index().is_none()
}

/// From this run time on, in nanoseconds, a poll is told that it is not the one to blame.
const TOLD_OF: u64 = 10_000;

/// Records the run time of an inline call, which also stands for the settled calls before it. Returns
/// the budget steps that all of them use up.
fn ran_inline(core: &Core, function: &Function, decision: Decision, run: Run) -> u32 {
    core.ran(function, Arm::InlineTokio, run);
    let took = nanos(run.took);
    let all = took.saturating_mul(decision.calls);
    // The pressure estimate subtracts inline work from the busy time of I/O workers, so only
    // inline work on I/O workers counts here.
    if is_on_io_worker() {
        core.with_io_side(|side| side.inline_nanos.fetch_add(all, Ordering::Relaxed));
        if decision.is_withheld {
            let now = core.now();
            core.with_io_side(|side| side.withheld.ends(took, now));
        }
    }
    // Every long call is a measured call, and a measured call also stands for the settled ones.
    steps(all)
}

impl<R> AdaptiveFuture<R> {
    /// Work that was placed, with the result of what ran here, or the call of what went to the pool.
    pub(super) fn of(placed: PlacedWork, (result, call): Ended<R>) -> Self {
        match placed {
            PlacedWork::Inline(Err(payload), turn) => Self::ended((Err(payload), turn)),
            PlacedWork::Inline(Ok(()), turn) => {
                let Some(result) = result else { unreachable!("it has run") };
                Self::ended((Ok(result), turn))
            }
            PlacedWork::Offloaded(submitted) => {
                let Some(call) = call else { unreachable!("its slot was made") };
                ComputeFuture::of(Offloaded::of(call, submitted)).into()
            }
        }
    }

    /// A call that has run inline, with the budget steps that it has to use up.
    pub(crate) fn ended((result, turn): (thread::Result<R>, u32)) -> Self {
        Self(Placed::Inline(Some(result), turn))
    }

    /// Where the call runs, or ran.
    pub fn arm(&self) -> Arm {
        match self.0 {
            Placed::Inline(..) => Arm::InlineTokio,
            Placed::Offloaded(_) => Arm::OffloadRayon,
        }
    }

    /// Lets the work run to its end, and drops its result.
    pub fn detach(self) {
        if let Placed::Offloaded(call) = self.0 {
            call.into_inner().detach();
        }
    }
}

/// A result is only moved out, never pinned.
impl<R> Unpin for AdaptiveFuture<R> {}

impl<R> AdaptiveFuture<R> {
    /// Polls for the value or the panic payload.
    #[inline]
    pub(crate) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<thread::Result<R>> {
        match &mut self.0 {
            Placed::Inline(result, turn) => {
                // Results that are always ready must not keep their task running without end.
                if *turn > 0 {
                    ready!(use_up(turn, cx));
                }
                let Some(result) = result.take() else { panic!("{POLLED_AGAIN}") };
                Poll::Ready(result)
            }
            Placed::Offloaded(call) => call.poll_outcome(cx),
        }
    }

    /// Marks the call as awaited: from now on a drop of this cancels it.
    pub(crate) fn mark_awaited(&mut self) {
        if let Placed::Offloaded(call) = &mut self.0 {
            call.mark_awaited();
        }
    }

    /// Whether its completion will wake the task that polled it last. A poll that ends because the
    /// task's budget is used up may not have stored its waker.
    pub(crate) fn has_waker(&self) -> bool {
        match &self.0 {
            Placed::Inline(..) => false,
            Placed::Offloaded(call) => call.has_waker(),
        }
    }

    /// Whether the outcome exists already.
    pub(crate) fn is_done(&self) -> bool {
        match &self.0 {
            Placed::Inline(..) => true,
            Placed::Offloaded(call) => call.is_done(),
        }
    }
}

const POLLED_AGAIN: &str = "an adaptive call was polled after it had completed";

impl<R> From<ComputeFuture<R>> for AdaptiveFuture<R> {
    fn from(call: ComputeFuture<R>) -> Self {
        Self(Placed::Offloaded(Boxed::new(call)))
    }
}

impl<R> Future for AdaptiveFuture<R> {
    type Output = R;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        match ready!(self.poll_outcome(cx)) {
            Ok(value) => Poll::Ready(value),
            Err(payload) => resume_unwind(payload),
        }
    }
}

impl<R> fmt::Debug for AdaptiveFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveFuture").field("arm", &self.arm()).finish_non_exhaustive()
    }
}
