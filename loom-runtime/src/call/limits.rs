//! Calls of functions with a limit (`max_concurrent`): each takes a permit before it is placed, and the work holds it
//! until it has ended. A call that has to wait does so in its caller's task.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::Receiver;

use crate::config::Override;
use crate::core::{Admitted, Core, Function, Gate, Permit, Refusal};
use crate::scheduler::duration;
use crate::sync::Arc;

use super::adaptive::{AdaptiveFuture, place_decided};
use super::decide::{CallInfo, decide};
use super::overriding;
use super::submit::Work;

/// How many calls of a function may run at a time, if there is a limit.
pub(super) fn limit_of(over: Override, function: &Function) -> Option<usize> {
    let limit = over.max_concurrent.or_else(|| function.site.max_concurrent());
    limit.map(|limit| limit as usize)
}

/// A call that waits for a permit.
pub(super) struct Entering {
    function: Arc<Function>,
    since: Instant,
    /// `None` once the permit was given.
    waits: Option<(Admitted, Receiver<Permit>)>,
}

/// Whether a call may be placed.
pub(super) enum Entry {
    Free(Admitted, Terms),
    Waits(Entering),
}

/// On what terms a call is placed.
#[derive(Default)]
pub(super) struct Terms {
    /// Its part of its function's limit, where there is one.
    pub(super) permit: Option<Permit>,
    /// Whether the caller would rather be refused than wait ([`unwilling`]).
    pub(super) is_unwilling: bool,
}

/// A call is about to be placed.
///
/// # Panics
///
/// With a [`Refusal`] where the caller would rather be refused than wait for the limit.
pub(super) fn enter(admitted: Admitted, info: CallInfo) -> Entry {
    let is_unwilling = UNWILLING.replace(false);
    let core = &Arc::clone(admitted.core());
    let function = info.function(core);
    let over = overriding::of(core, function);
    let Some(limit) = limit_of(over, function) else {
        return Entry::Free(admitted, Terms { permit: None, is_unwilling });
    };
    let gate = core.gate(function);
    if is_unwilling && gate.is_full(limit) {
        core.counters.refused.add_one();
        function.counters.refused.add_one();
        resume_unwind(Box::new(Refusal::AtLimit(limit)));
    }
    match gate.enter(limit, over.priority.unwrap_or(info.priority)) {
        Ok(permit) => Entry::Free(admitted, Terms { permit: Some(permit), is_unwilling }),
        Err(permit) => {
            let function = Arc::clone(function);
            let waits = Some((admitted, permit));
            Entry::Waits(Entering { function, since: Instant::now(), waits })
        }
    }
}

impl Entering {
    /// Waits for the permit. The admission goes with it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Admitted, Permit)> {
        let Some((_, permit)) = &mut self.waits else { unreachable!("it was given once") };
        let permit = ready!(Pin::new(permit).poll(cx));
        let (Some((admitted, _)), Ok(permit)) = (self.waits.take(), permit) else {
            unreachable!("the gate keeps the sender until it gives the permit")
        };
        self.function.counters.limit_waits.record(self.since.elapsed());
        Poll::Ready((admitted, permit))
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if let Some((admitted, _)) = &self.waits {
            self.function.counters.abandoned.add_one();
            admitted.core().counters.abandoned.add_one();
        }
    }
}

/// A call that waits, and is placed then.
pub(super) enum Limited<R> {
    Waits(Entering, CallInfo, Box<dyn Later<R>>),
    Placed(AdaptiveFuture<R>),
    Over,
}

/// The work of a call that waits.
pub(super) trait Later<R>: Send {
    fn place(
        self: Box<Self>,
        admitted: Admitted,
        info: CallInfo,
        permit: Permit,
    ) -> AdaptiveFuture<R>;
}

impl<F, R> Later<R> for Work<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn place(
        mut self: Box<Self>,
        admitted: Admitted,
        info: CallInfo,
        permit: Permit,
    ) -> AdaptiveFuture<R> {
        let decision = decide(admitted.core(), info);
        let terms = Terms { permit: Some(permit), is_unwilling: false };
        let placed = place_decided(admitted, info, decision, terms, &mut *self);
        AdaptiveFuture::of(placed, self.ended())
    }
}

/// The closure and the result are moved, never pinned.
impl<R> Unpin for Limited<R> {}

impl<R> Future for Limited<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        if let Self::Waits(entering, ..) = &mut *self {
            let (admitted, permit) = ready!(entering.poll(cx));
            let Self::Waits(_, info, work) = std::mem::replace(&mut *self, Self::Over) else {
                unreachable!("it waits")
            };
            *self = Self::Placed(work.place(admitted, info, permit));
        }
        match &mut *self {
            Self::Placed(call) => Pin::new(call).poll(cx),
            _ => panic!("a compute function was polled after it had panicked"),
        }
    }
}

/// How long a call of this function would wait for its limit, by the mean run time; `None` if it would not.
pub(super) fn expected_wait(core: &Core, function: &Function) -> Option<Duration> {
    let limit = limit_of(overriding::of(core, function), function)?;
    let gate = core.gate(function);
    if !gate.is_full(limit) {
        return None;
    }
    let (_, waiting) = gate.counts();
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let turns = (waiting + 1) as f64 / limit as f64;
    let [inlined, pooled] = function.record.summaries();
    let weight = (inlined.weight + pooled.weight).max(f64::MIN_POSITIVE);
    let mean = (inlined.weight * inlined.mean + pooled.weight * pooled.mean) / weight;
    Some(duration(turns * mean))
}

thread_local! {
    /// Whether the call that is made next would rather be refused than wait. The call takes this back, so that
    /// it does not count for calls that its body makes.
    static UNWILLING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f`, whose compute calls would rather be refused than wait.
pub(super) fn unwilling<R>(f: impl FnOnce() -> R) -> R {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            UNWILLING.set(self.0);
        }
    }
    let _back = Back(UNWILLING.replace(true));
    f()
}

/// The gate of a function with a limit, for reports.
pub(crate) fn gate_of<'a>(
    core: &'a Core,
    function: &'a Function,
) -> Option<(usize, &'a Arc<Gate>)> {
    let limit = limit_of(overriding::of(core, function), function)?;
    Some((limit, core.gate(function)))
}
