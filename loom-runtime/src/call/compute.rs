//! Offloaded calls: the bridge between the current task and the compute pool.

use std::any::Any;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::coop;

use crate::bridge::{self, Call, Fault, Outcome};
use crate::core::{Admitted, Core, Refusal};
use crate::sync::{Arc, thread};

use super::accounting::CallOptions;
use super::deadline::{DeadlineExceeded, is_too_late};
use super::due::Expiry;
use super::spin::{PollHistory, spin_briefly};
use super::submit::{Sampled, Submitted, Timed, Work, submit};

/// Work on the compute pool, as a future of its result.
///
/// The work was submitted when this was made; an await only waits for it.
///
/// - Dropped before its first poll, or given to [`detach`](Self::detach): the work runs to its
///   end, and its result is dropped.
/// - Dropped after a poll (a timeout, a `select!`): work that has not started never runs, and its
///   captures are dropped at once. Work that already runs finishes, and its result is dropped on
///   the compute thread. A result that exists already is dropped with the future. The drop never
///   waits. [`is_cancelled`] tells running work that it may stop.
///
/// The first poll by a task that is the only one on its thread to make calls may wait on the spot: for up
/// to 20 µs until the work starts, and then for as long as a wake takes, 50 µs at most, if the work is
/// known to take no longer. Where nothing is known, it waits for 2 µs, and for long work it does not wait.
/// After 100 µs of such waits, or 64 polls, the next one is left out, so that other tasks get a turn.
///
/// Cost: no allocation where closure and result fit, with about 200 bytes of Loom's own, a block
/// of 1024 bytes; one allocation otherwise. The first wait of a magnitude allocates 128 bytes for the
/// runtime's histogram. `loom-bench micro` prints what a call costs.
///
/// # Panics
///
/// The poll that would have returned the result raises a panic of the work again. The poll panics
/// with the reason where the work was still queued when the last handle of its runtime was dropped.
/// A poll after the one that returned the result panics, too.
#[must_use = "the work runs, but its result is lost; await it, or say `.detach()`"]
pub struct ComputeFuture<R>(Offloaded<R>);

/// A call on its way through the pool.
pub(crate) struct Offloaded<R> {
    call: Call<Timed<R>>,
    /// The core whose overhead is learned from the round trip of this call, if it is sampled.
    sampled: Option<Sampled>,
    /// A poll was pending, so a task waited when the call completed. Only then does the round trip
    /// contain no delay of the awaiting task.
    waited: bool,
    /// How long the first poll may wait on the spot, once the call has started. Set where a drainer
    /// was searching at submission, and no other call was in flight.
    patience: Option<Duration>,
    /// The call has the waker of the last poll, and its completion wakes it.
    has_waker: bool,
    /// Where the call has a deadline.
    expiry: Option<Box<Expiry>>,
}

/// Why a call never ran.
pub(super) enum NeverRan {
    /// It could not have ended before its deadline.
    Exceeded(DeadlineExceeded),
    ShutDown,
}

impl NeverRan {
    fn payload(self) -> Box<dyn Any + Send> {
        match self {
            Self::Exceeded(error) => Box::new(error),
            Self::ShutDown => Box::new(Refusal::ShutDown.to_string()),
        }
    }
}

/// Submits `f` to the compute pool of the core that admitted it, even where the queue is full.
pub(crate) fn offload<F, R>(
    core: &Arc<Core>,
    admitted: Admitted,
    options: CallOptions,
    f: F,
) -> Result<Offloaded<R>, Refusal>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    offload_within(usize::MAX, core, admitted, options, f)
}

/// Submits `f`, unless `limit` calls wait already.
fn offload_within<F, R>(
    limit: usize,
    core: &Arc<Core>,
    admitted: Admitted,
    options: CallOptions,
    f: F,
) -> Result<Offloaded<R>, Refusal>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let mut work = Work::new(f);
    let submitted = submit(limit, core, admitted, options, &mut work)?;
    let (_, Some(call)) = work.ended() else { unreachable!("its slot was made") };
    Ok(Offloaded::of(call, submitted))
}

/// Admits and submits a call, unless the runtime has ended or its queue is full.
pub(crate) fn try_offload<F, R>(
    core: &Arc<Core>,
    options: CallOptions,
    f: F,
) -> Result<Offloaded<R>, Refusal>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    offload_within(core.compute_queue, core, Admitted::to(core)?, options, f)
}

impl<R> Offloaded<R> {
    pub(super) fn of(call: Call<Timed<R>>, submitted: Submitted) -> Self {
        let Submitted { patience, sampled, expiry } = submitted;
        Self { call, sampled, waited: false, patience, has_waker: false, expiry }
    }

    /// Why the call never ran.
    pub(super) fn refusal(&self) -> NeverRan {
        let exceeded = self.expiry.as_ref().and_then(|expiry| expiry.exceeded());
        exceeded.map_or(NeverRan::ShutDown, NeverRan::Exceeded)
    }

    pub(crate) fn detach(self) {
        self.call.detach();
    }

    /// Polls for the value, or the reason why there is none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Fault>> {
        // A drop after any poll cancels the call, even where the poll ends before it has looked
        // for the result.
        self.call.mark_awaited();
        self.has_waker = false;
        // Results that are always ready must not keep their task running without end.
        let budget = ready!(coop::poll_proceed(cx));
        if let Some(patience) = self.patience {
            let (is_alone, has_had_its_turn) = PollHistory::poll(cx);
            self.patience = None;
            // A task that has had its turn waits for the wake, so that other tasks get theirs.
            if is_alone && !has_had_its_turn {
                spin_briefly(&self.call, patience);
            }
        }
        let outcome = Pin::new(&mut self.call).poll(cx);
        if outcome.is_pending() {
            self.waited = true;
            self.has_waker = true;
            return Poll::Pending;
        }
        budget.made_progress();
        outcome.map(|outcome| self.resolve(outcome))
    }

    fn resolve(&mut self, outcome: Outcome<Timed<R>>) -> Result<R, Fault> {
        let Timed { value, times } = outcome?;
        if let Some(sampled) = self.sampled.take()
            && let Some(times) = times
            && self.waited
        {
            sampled.record(times);
        }
        Ok(value)
    }
}

impl<R> ComputeFuture<R> {
    /// A call that was submitted; panics with the text of a refusal.
    #[track_caller]
    pub(crate) fn or_panic(submitted: Result<Offloaded<R>, Refusal>) -> Self {
        match submitted {
            Ok(call) => Self(call),
            Err(refusal) => panic!("{refusal}"),
        }
    }

    pub(super) fn of(call: Offloaded<R>) -> Self {
        Self(call)
    }

    /// Lets the work run to its end, and drops its result.
    ///
    /// The work stays tracked: a graceful shutdown waits for it. A panic is counted, and the panic
    /// hook reports it like a panic of any thread.
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
    pub fn detach(self) {
        self.0.detach();
    }
}

impl<R> ComputeFuture<R> {
    /// The value or the panic payload; for work that never ran, the reason as a `String` payload.
    pub(crate) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<thread::Result<R>> {
        self.0.poll(cx).map_err(|fault| match fault {
            Fault::Panicked(payload) => payload,
            Fault::Refused => self.0.refusal().payload(),
        })
    }

    pub(crate) fn mark_awaited(&mut self) {
        self.0.call.mark_awaited();
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.call.is_done()
    }

    /// Whether its completion will wake the task that polled it last.
    pub(crate) fn has_waker(&self) -> bool {
        self.0.has_waker
    }
}

impl<R> Future for ComputeFuture<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        self.0.poll(cx).map(|outcome| match outcome {
            Ok(value) => value,
            Err(Fault::Panicked(payload)) => resume_unwind(payload),
            Err(Fault::Refused) => match self.0.refusal() {
                NeverRan::Exceeded(error) => resume_unwind(Box::new(error)),
                NeverRan::ShutDown => panic!("{}", Refusal::ShutDown),
            },
        })
    }
}

impl<R> fmt::Debug for ComputeFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputeFuture").finish_non_exhaustive()
    }
}

/// Whether the calling compute work is no longer wanted: the future that awaited it was dropped,
/// its deadline has passed, or its runtime was ended while it ran.
///
/// Long work may call this now and then and stop early; its result is dropped in that case. The
/// answer is about the call that the calling thread runs. A call may spread work over other
/// threads (`rayon::join`, parallel iterators). There the work may run on top of another call that
/// waits, and the answer is then about that other call, which may be cancelled while this one is
/// wanted. So call this before the work is spread, and share the answer.
///
/// False outside of compute work, in calls that run inline, and for detached work as long as
/// its runtime lives. True on either arm once the [deadline](crate::deadline) has passed, where there is one.
///
/// Cost: two thread-locals and two relaxed loads, and a read of the clock where there is a deadline.
///
/// ```
/// # #[loom::main]
/// # async fn main() {
/// let (begins, begun) = tokio::sync::oneshot::channel();
/// let (ends, ended) = std::sync::mpsc::channel();
/// let search = loom::spawn_compute(move || {
///     let _ = begins.send(());
///     while !loom::is_cancelled() {}
///     ends.send(())
/// });
/// tokio::select! {
///     _ = search => unreachable!("it is still wanted"),
///     _ = begun => {} // `search` is dropped.
/// }
/// assert_eq!(ended.recv(), Ok(()));
/// # }
/// ```
#[must_use]
pub fn is_cancelled() -> bool {
    bridge::current_is_unwanted().unwrap_or(false) || is_too_late()
}
