//! What a cell asks of Loom, and what a poll on the pool finds around it.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Poll, RawWakerVTable};
use std::time::Instant;

use tokio::runtime::Handle;

use crate::bridge::{End, Host, Job, Priority, Queueing, poll_nested, waker_table};
use crate::core::{Admitted, Core, Function, PauseGuard, Permit, Stopwatch};
use crate::scheduler::{Arm, Decision, Run, Wake};
use crate::sync::Arc;
use crate::threads::{begin_call, drainer};

use super::super::baggage::Baggage;
use super::super::decide::CallInfo;
use super::super::overriding;
use super::super::spans::WholeSpan;
use super::placing::Family;
use super::wake;

/// The host of a compute future.
pub(crate) struct PollHost {
    pub(super) admitted: Admitted,
    pub(super) family: Family,
    pub(super) info: CallInfo,
    /// Whether each poll goes to the pool, whatever it costs.
    pub(super) is_forced: bool,
    /// The tokio runtime of the caller, where it is not that of the pool.
    pub(super) tokio: Option<Handle>,
    pub(super) span: WholeSpan,
    /// Given back when the future has ended and is dropped.
    pub(super) _permit: Option<Permit>,
}

/// What the owners of the turn hand on.
pub(crate) struct Turn {
    /// What polls on the pool find around them.
    baggage: Baggage,
    /// Whether its poll was nested too deep once. Its polls then stay on the pool: what it awaits is as deep
    /// below it, and each of its wakes would go all the way up and down again.
    pub(super) is_deep: bool,
    /// When the poll was submitted, and how many calls waited then.
    submitted: Option<(Instant, usize)>,
    pause: Option<PauseGuard>,
}

impl Turn {
    pub(super) fn new(baggage: Baggage) -> Self {
        Self { baggage, is_deep: false, submitted: None, pause: None }
    }
}

thread_local! {
    /// Whether tokio drives a poll on this thread.
    static IS_DRIVEN: Cell<bool> = const { Cell::new(false) };
}

static TABLE: RawWakerVTable = waker_table::<PollHost>();

impl PollHost {
    pub(super) fn core(&self) -> &Arc<Core> {
        self.admitted.core()
    }

    pub(super) fn function(&self, wake: Wake) -> &Arc<Function> {
        self.family.function(self.core(), wake)
    }

    /// Whether the poll that the handle has to make goes to the pool, whatever it costs.
    pub(super) fn has_to_queue(&self, turn: &mut Turn, is_spawned: bool) -> bool {
        turn.is_deep |= Family::is_deep(self.core());
        turn.is_deep || self.is_forced || is_spawned && !self.is_at_home()
    }

    /// Whether the calling thread has entered the tokio runtime in which polls on the pool run.
    fn is_at_home(&self) -> bool {
        match self.tokio.as_ref().or_else(|| self.core().tokio.get()) {
            Some(home) => Handle::try_current().is_ok_and(|here| here.id() == home.id()),
            None => true,
        }
    }

    /// Whether the task's poll runs inline without a measurement. Where wakes send such polls to the pool, this
    /// one decides anew, which may end that.
    pub(super) fn is_settled(&self, wake: Wake) -> bool {
        let core = self.core();
        !self.family.all(core).pooled.contains(wake) && self.family.is_settled(core, wake, false)
    }

    /// Decides where the task's poll runs.
    pub(super) fn decide(&self, wake: Wake) -> Decision {
        self.family.decide(self.core(), self.info, wake)
    }

    /// The poll is about to wait in the queue.
    pub(super) fn queues(&self, turn: &mut Turn, wake: Wake) -> Queueing {
        let core = self.core();
        let function = self.function(wake);
        function.counters.offloaded.add_one();
        let before = core.queue.waiting();
        begin_call(core);
        turn.submitted = Some((Instant::now(), before));
        turn.pause = Some(core.pause_time());
        let priority = self.priority(function);
        Queueing { priority, micros: function.on_pool.micros() }
    }

    /// What a poll took that followed this wake, for polls that cannot know theirs.
    pub(super) fn ran_after(&self, wake: Wake, arm: Arm, run: Run) {
        if wake != Wake::Begin {
            let core = self.core();
            self.function(Wake::Any).record.observe(&core.knobs, arm, run, core.now());
        }
    }

    fn priority(&self, function: &Function) -> Priority {
        overriding::of(self.core(), function).priority.unwrap_or(self.info.priority)
    }
}

impl Host for PollHost {
    type Turn = Turn;
    type After = Option<PauseGuard>;
    type Queue = Arc<Core>;

    fn table() -> &'static RawWakerVTable {
        &TABLE
    }

    fn wake() -> Wake {
        wake::kind()
    }

    fn queue(&self) -> Arc<Core> {
        Arc::clone(self.core())
    }

    fn place(&self, turn: &mut Turn, wake: Wake, is_awaited: bool) -> Option<Queueing> {
        let straight = !is_awaited
            || self.is_forced
            || turn.is_deep
            || self.family.goes_straight(self.core(), wake);
        if !straight {
            return None;
        }
        self.function(wake).record.count_unasked();
        Some(self.queues(turn, wake))
    }

    fn submit(core: Arc<Core>, job: &mut dyn FnMut() -> Option<Job>) {
        // There is no limit: a future that has begun is not refused because others wait.
        let Some(place) = core.queue.enter(usize::MAX) else { unreachable!("there is no limit") };
        let fetched = if let Some(job) = job() {
            place.submit(job)
        } else {
            core.end_call(false);
            place.withdraw()
        };
        if let Some(generation) = fetched {
            drainer::fetch(&core, generation);
        }
    }

    fn withdraw(&self, waits: bool) {
        if waits {
            self.core().queue.cancel();
        }
        self.core().end_call(false);
    }

    fn may_start(&self) -> bool {
        !self.core().lifecycle.is_gone()
    }

    fn around(&self, turn: &mut Turn, wake: Wake, poll: &mut dyn FnMut()) {
        let core = self.core();
        let function = self.function(wake);
        let started = Instant::now();
        if let Some((submitted, ahead)) = turn.submitted.take() {
            let waited = started.saturating_duration_since(submitted);
            core.backlog.observe(self.priority(function), waited, ahead, core.now());
            core.counters.queue_waits.record(waited);
            function.counters.queue_waits.record(waited);
        }
        let mut timed = || {
            let watch = Stopwatch::start(function.wants_look_on_pool());
            self.span.poll("offload", || poll_nested(&mut *poll));
            let run = watch.stop();
            core.counters.run.add_one();
            core.ran(function, Arm::OffloadRayon, run);
            function.counters.returned.add_one();
            self.ran_after(wake, Arm::OffloadRayon, run);
        };
        turn.baggage.lend(&mut || in_tokio(core, self.tokio.as_ref(), &mut timed));
    }

    fn after(&self, turn: &mut Turn, end: Option<End>) -> Option<PauseGuard> {
        self.core().end_call(end == Some(End::Panicked));
        turn.pause.take()
    }

    fn end(self, _turn: Turn, end: End, unwanted: bool) {
        let core = self.core();
        let counters = &self.family.all(core).counters;
        match end {
            End::Panicked => {
                core.counters.compute_panics.add_one();
                counters.panicked.add_one();
            }
            End::Refused => counters.refused.add_one(),
            End::Returned | End::Cancelled if unwanted => counters.abandoned.add_one(),
            End::Returned | End::Cancelled => {}
        }
        if unwanted {
            core.counters.abandoned.add_one();
        }
    }
}

/// Calls `f` as tokio polls a task: with the runtime's context and a budget, so that a future that is always
/// ready yields; and where tokio lets no code block. So a function that awaits may do the same on
/// either arm.
///
/// Where no keeper could be started, a thread may make a poll within another one; tokio drives no future
/// within another.
fn in_tokio(core: &Core, callers: Option<&Handle>, f: &mut dyn FnMut()) {
    struct Driven;
    impl Drop for Driven {
        fn drop(&mut self) {
            IS_DRIVEN.set(false);
        }
    }
    let tokio = callers.or_else(|| core.tokio.get()).filter(|_| !IS_DRIVEN.get());
    let Some(tokio) = tokio else { return f() };
    IS_DRIVEN.set(true);
    let _driven = Driven;
    tokio.block_on(poll_fn(|_| {
        f();
        Poll::Ready(())
    }));
}
