//! A compute future as its caller sees it.

use std::any::Any;
use std::mem;
use std::panic::resume_unwind;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle as Tokio;

use crate::bridge::{Fault, Handle, Outcome, Queueing, nested_polls, poll_nested};
use crate::core::{Admitted, Core, Permit, Refusal};
use crate::scheduler::{Arm, Decision, Wake};
use crate::sync::Arc;

use super::super::adaptive::run_timed;
use super::super::baggage::Baggage;
use super::super::decide::CallInfo;
use super::super::entering::{Entering, Entry, Terms, admit, begins_body, enter};
use super::super::spans::WholeSpan;
use super::super::turn::use_up;
use super::host::{PollHost, Turn};
use super::placing::{DEEPEST, Family};

/// A future in a block of its own, each of whose polls is placed.
pub(crate) struct Polled<R> {
    handle: Handle<R, PollHost>,
    pub(super) family: Family,
    pub(super) info: CallInfo,
    /// Whether it was polled.
    has_begun: bool,
    /// What the future ended with, while the task's budget has to pay for it.
    ended: Option<Outcome<R>>,
    /// The budget steps that are left to pay.
    steps: u32,
    /// While it waits for its function's limit. In a box, since most functions have none.
    entering: Option<Box<Entering>>,
    span: WholeSpan,
}

/// What is in the block is pinned there.
impl<R> Unpin for Polled<R> {}

impl<R: Send + 'static> Polled<R> {
    /// Nothing runs before it is polled or started.
    pub(crate) fn new(info: CallInfo, future: impl Future<Output = R> + Send + 'static) -> Self {
        let family = Family { site: info.site, first: info.class };
        let handle = Handle::new(future);
        let span = WholeSpan::begin(info.site.name());
        let (ended, entering) = (None, None);
        Self { handle, family, info, has_begun: false, ended, steps: 0, entering, span }
    }
}

impl<R> Polled<R> {
    /// Polls for the outcome. `core`: that of the runtime, which is looked for where the call is not settled.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        is_settled: impl FnOnce(Family, Wake, bool) -> bool,
        core: impl FnOnce() -> Arc<Core>,
    ) -> Poll<Outcome<R>> {
        if self.handle.is_alone() && self.ended.is_none() {
            let (wake, is_first) =
                if self.has_begun { (Wake::Any, false) } else { (Wake::Begin, true) };
            if nested_polls() < DEEPEST && is_settled(self.family, wake, is_first) {
                if is_first {
                    begins_body();
                }
                self.has_begun = true;
                let Self { handle, span, family, .. } = self;
                let counts = CountsPanic(*family, Some(core));
                let polled = span.poll("inline", || poll_nested(|| handle.poll_through(cx)));
                mem::forget(counts);
                return polled;
            }
        }
        self.poll_measured(cx, core)
    }

    #[inline(never)]
    fn poll_measured(
        &mut self,
        cx: &mut Context<'_>,
        core: impl FnOnce() -> Arc<Core>,
    ) -> Poll<Outcome<R>> {
        if self.ended.is_some() {
            return self.pay(cx);
        }
        let mut decided = None;
        if self.entering.is_some() {
            let (admitted, permit) = ready!(self.poll_entering(cx));
            self.has_begun = true;
            self.share(admitted, Wake::Begin, false, Some(permit));
        } else if self.handle.is_alone() {
            let core = core();
            // A measured first poll makes the whole future one whose polls are learned by their wakes.
            let wake = if self.has_begun { Wake::Any } else { Wake::Begin };
            let admitted = match Admitted::to(&core) {
                Ok(admitted) => admitted,
                // What has begun may end.
                Err(_) if self.has_begun => {
                    let Self { handle, span, .. } = self;
                    return span.poll("inline", || poll_nested(|| handle.poll_alone(cx)));
                }
                Err(_) => admit(&core),
            };
            let (admitted, terms) = match self.enter(admitted) {
                Entry::Free(admitted, terms) => (admitted, terms),
                Entry::Waits(entering) => {
                    self.entering = Some(Box::new(entering));
                    let (admitted, permit) = ready!(self.poll_entering(cx));
                    (admitted, Terms { permit: Some(permit), is_unwilling: false })
                }
            };
            decided = (!Family::is_deep(&core)).then(|| self.family.decide(&core, self.info, wake));
            let is_inline = decided.is_some_and(|decision| decision.arm == Arm::InlineTokio);
            if self.has_begun
                && is_inline
                && let Some(decision) = decided
            {
                return self.poll_alone_measured(cx, &core, decision);
            }
            if terms.is_unwilling && !is_inline && core.queue.waiting() >= core.compute_queue {
                core.counters.refused.add_one();
                resume_unwind(Box::new(Refusal::QueueFull(core.compute_queue)));
            }
            self.has_begun = true;
            self.share(admitted, wake, false, terms.permit);
        }
        let outcome = ready!(self.poll_shared(cx, decided, false));
        self.ends(cx, outcome)
    }

    /// A future that has begun has its permit, or had none to take.
    fn enter(&self, admitted: Admitted) -> Entry {
        let is_in = self.has_begun;
        if is_in { Entry::Free(admitted, Terms::default()) } else { enter(admitted, self.info) }
    }

    fn poll_entering(&mut self, cx: &mut Context<'_>) -> Poll<(Admitted, Permit)> {
        let Some(entering) = &mut self.entering else { unreachable!("it waits") };
        let entered = ready!(entering.poll(cx));
        self.entering = None;
        Poll::Ready(entered)
    }

    /// A measured poll of a future that nobody else knows.
    fn poll_alone_measured(
        &mut self,
        cx: &mut Context<'_>,
        core: &Arc<Core>,
        decision: Decision,
    ) -> Poll<Outcome<R>> {
        let Self { handle, span, family, .. } = self;
        let function = family.function(core, Wake::Any);
        let poll = || span.poll("inline", || poll_nested(|| handle.poll_alone(cx)));
        let (polled, steps) = run_timed(core, function, decision, poll, |_| ());
        if let Poll::Ready(Err(_)) = &polled {
            count_panic(core, *family);
        }
        self.steps = steps;
        let outcome = ready!(polled);
        self.ends(cx, outcome)
    }

    /// Polls with wakers of the future's own. One that was spawned finds its runtime in each poll; a call
    /// finds that of its caller.
    pub(super) fn poll_shared(
        &mut self,
        cx: &mut Context<'_>,
        decided: Option<Decision>,
        is_spawned: bool,
    ) -> Poll<Outcome<R>> {
        let mut decided = decided;
        let steps = &mut self.steps;
        let span = &self.span;
        self.handle.poll(cx, &mut |host: &PollHost, turn: &mut Turn, wake, poll| {
            if host.has_to_queue(turn, is_spawned) {
                return Some(host.queues(turn, wake));
            }
            if decided.is_none() && host.is_settled(wake) {
                span.poll("inline", || poll_nested(poll));
                return None;
            }
            let decision = decided.take().unwrap_or_else(|| host.decide(wake));
            here(host, turn, wake, decision, span, steps, poll)
        })
    }

    /// From now on the future is polled with wakers of its own, on either arm.
    pub(super) fn share(
        &mut self,
        admitted: Admitted,
        wake: Wake,
        is_forced: bool,
        permit: Option<Permit>,
    ) {
        let core = admitted.core();
        let tokio = if core.is_process_wide() { Tokio::try_current().ok() } else { None };
        let baggage = Baggage::of_polls(self.info.carrying);
        let (family, info, span) = (self.family, self.info, self.span.clone());
        let host = PollHost { admitted, family, info, is_forced, tokio, span, _permit: permit };
        self.handle.share(host, Turn::new(baggage), wake);
    }

    /// The first poll, without a task.
    pub(super) fn start(&mut self) {
        self.has_begun = true;
        let steps = &mut self.steps;
        let span = &self.span;
        let polled = self.handle.start(&mut |host: &PollHost, turn: &mut Turn, wake, poll| {
            if host.has_to_queue(turn, true) {
                return Some(host.queues(turn, wake));
            }
            here(host, turn, wake, host.decide(wake), span, steps, poll)
        });
        if let Poll::Ready(outcome) = polled {
            self.ended = Some(outcome);
        }
    }

    /// Polls a future that was started.
    pub(super) fn poll_started(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<R>> {
        if self.ended.is_some() {
            return self.pay(cx);
        }
        let outcome = ready!(self.poll_shared(cx, None, true));
        self.ends(cx, outcome)
    }

    /// From now on a drop gives the future up.
    pub(super) fn mark_awaited(&mut self) {
        self.handle.mark_awaited();
    }

    pub(super) fn detach(self) {
        self.handle.detach();
    }

    /// The outcome, once the task's budget has paid for its last poll.
    fn ends(&mut self, cx: &mut Context<'_>, outcome: Outcome<R>) -> Poll<Outcome<R>> {
        self.ended = Some(outcome);
        self.pay(cx)
    }

    /// Results that are always ready must not keep their task running without end.
    fn pay(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<R>> {
        if self.steps > 0 {
            ready!(use_up(&mut self.steps, cx));
        }
        let Some(outcome) = self.ended.take() else { unreachable!("it has ended") };
        Poll::Ready(outcome)
    }
}

/// Makes the task's poll, or says how it waits in the queue.
fn here(
    host: &PollHost,
    turn: &mut Turn,
    wake: Wake,
    decision: Decision,
    span: &WholeSpan,
    steps: &mut u32,
    poll: &mut dyn FnMut(),
) -> Option<Queueing> {
    if decision.arm == Arm::OffloadRayon {
        return Some(host.queues(turn, wake));
    }
    let core = host.core();
    let poll = || span.poll("inline", || poll_nested(poll));
    let ((), paid) = run_timed(core, host.function(wake), decision, poll, |run| {
        host.ran_after(wake, Arm::InlineTokio, run);
    });
    *steps = paid;
    None
}

/// Counts the panic that drops it.
struct CountsPanic<F: FnOnce() -> Arc<Core>>(Family, Option<F>);

impl<F: FnOnce() -> Arc<Core>> Drop for CountsPanic<F> {
    #[cold]
    fn drop(&mut self) {
        if let Some(core) = self.1.take() {
            count_panic(&core(), self.0);
        }
    }
}

/// Counts the panic of a future that nobody else knew.
#[cold]
fn count_panic(core: &Core, family: Family) {
    family.all(core).counters.panicked_inline.add_one();
}

/// The value of a future, or its panic.
pub(crate) fn resolve<R>(outcome: Outcome<R>) -> Result<R, Box<dyn Any + Send>> {
    outcome.map_err(|fault| match fault {
        Fault::Panicked(payload) => payload,
        Fault::Refused => Box::new(Refusal::ShutDown.to_string()),
    })
}

impl<R> std::fmt::Debug for Polled<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Polled").finish_non_exhaustive()
    }
}
