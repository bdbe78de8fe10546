//! One call on its way to another process: whether it goes, and what it does with the answer.

use std::any::Any;
use std::future::poll_fn;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::core::{
    Admitted, Core, Failure, FleetError, FleetFunction, Function, Refused, Request, nanos,
};
use crate::scheduler::{Arm, Decision, FarBelief, FarTimes, Reason, duration};
use crate::sync::Arc;
use crate::threads::warn_once;

use super::super::current::current_core;
use super::super::deadline::{DeadlineExceeded, deadline, now};
use super::super::decide::{CallInfo, conditions_now};
use super::super::spans::WholeSpan;
use super::choice::goes;
use super::codec::{Travels, decode};

/// For how long no call of the function goes to the fleet after a failure. A full worker has a free place when
/// one of its calls ends; one that is missing, or of another build, is replaced by people.
const AFTER_FULL: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(20);
const AFTER_LOSS: Duration = Duration::from_millis(50);
const AFTER_ABSENCE: Duration = Duration::from_millis(250);
const AFTER_SKEW: Duration = Duration::from_secs(5);

/// A call that goes to the fleet. It counts as work of the runtime until this is dropped.
pub(super) struct Journey {
    core: Arc<Core>,
    /// `None` once it was passed on.
    admitted: Option<Admitted>,
    function: Arc<Function>,
    called: &'static FleetFunction,
    began: Instant,
    /// The deadline of its caller.
    until: Option<Instant>,
    /// Whether it has an answer, or never gets one. A journey that ends otherwise was given up.
    has_ended: bool,
}

/// Timers are no finer than that, and a transport tells the time that is left in milliseconds.
const TIMER: Duration = Duration::from_millis(3);

/// Why a call has no result from the fleet.
pub(super) enum NoResult {
    /// It is to run here, as the work that it was admitted as.
    Stays(Admitted),
    /// The panic of the call.
    Panics(Box<dyn Any + Send>),
}

/// The same, before the journey has ended.
enum Failed {
    Stays,
    Panics(Box<dyn Any + Send>),
}

impl Journey {
    /// A call that was decided, if it costs less on the fleet than on the compute pool.
    pub(super) fn of_call(
        admitted: Admitted,
        info: CallInfo,
        called: &'static FleetFunction,
        decision: Decision,
    ) -> Result<Self, Admitted> {
        let core = admitted.core();
        let may_go = decision.arm == Arm::OffloadRayon && decision.reason != Reason::Overridden;
        let function = Arc::clone(info.function(core));
        function.far.marks();
        let is_cheaper = |far: FarBelief| far.cost(decision.expected) < decision.on_pool;
        if may_go && goes(core, &function, core.now(), is_cheaper) {
            Ok(Self::new(admitted, function, called))
        } else {
            Err(admitted)
        }
    }

    /// A call of a function that awaits, if it would wait longer for the compute pool than for the fleet.
    /// How long all its polls take is not known, so they count the same here and there.
    pub(super) fn of_future(
        named: Option<&Arc<Core>>,
        info: CallInfo,
        called: &'static FleetFunction,
    ) -> Option<Self> {
        let core = named.map_or_else(current_core, Arc::clone);
        let function = Arc::clone(info.function(&core));
        function.far.marks();
        let now = core.now();
        let is_cheaper = |far: FarBelief| {
            let (is_free, conditions) = conditions_now(&core, &function, info.priority, now);
            is_free && far.way + far.wait < conditions.queue
        };
        if !goes(&core, &function, now, is_cheaper) {
            return None;
        }
        // Where work is refused, the call that stays says so.
        let admitted = Admitted::to(&core).ok()?;
        Some(Self::new(admitted, function, called))
    }

    fn new(admitted: Admitted, function: Arc<Function>, called: &'static FleetFunction) -> Self {
        function.far.begins();
        let core = Arc::clone(admitted.core());
        let (admitted, began) = (Some(admitted), Instant::now());
        let until = deadline();
        Self { core, admitted, function, called, began, until, has_ended: false }
    }

    /// Sends the call, and waits for its result.
    pub(super) async fn result<R: Travels>(
        mut self,
        arguments: Result<Vec<u8>, String>,
    ) -> Result<R, NoResult> {
        let result = self.travel(arguments).await;
        self.has_ended = true;
        result.map_err(|failed| match (failed, self.admitted.take()) {
            (Failed::Stays, Some(admitted)) => NoResult::Stays(admitted),
            (Failed::Panics(payload), _) => NoResult::Panics(payload),
            (Failed::Stays, None) => unreachable!("it was passed on once"),
        })
    }

    async fn travel<R: Travels>(&self, arguments: Result<Vec<u8>, String>) -> Result<R, Failed> {
        let counters = &self.function.counters.far;
        let Some(transport) = self.core.transport.get() else {
            return Err(Failed::Stays);
        };
        counters.sent.add_one();
        let arguments = arguments.map_err(|_| {
            // What cannot be written once cannot be written soon.
            self.refused(AFTER_SKEW)
        })?;
        if arguments.len() > transport.limit() {
            return Err(self.refused(Duration::ZERO));
        }
        // Polled in a span, as a call on the pool is.
        let span = WholeSpan::begin(self.function.site.name());
        let request = Request::new(self.called, arguments, self.until);
        let mut calling = span.poll("fleet", || transport.call(request));
        let answer = poll_fn(|cx| span.poll("fleet", || calling.as_mut().poll(cx))).await;
        let response = answer.map_err(|failure| self.failed(failure))?;
        let all = self.began.elapsed();
        let result = decode((*response.result).as_ref()).map_err(|why| {
            self.closes(AFTER_SKEW);
            self.lost(format!("its result cannot be read, since {why}"))
        })?;
        let ran = response.ran.min(all);
        let waited = response.waited.min(all.saturating_sub(ran));
        counters.returned.add_one();
        counters.ran.record(ran);
        counters.waited.record(waited);
        counters.way.record(all.saturating_sub(ran + waited));
        let [all, ran, waited] = [all, ran, waited].map(|time| time.as_secs_f64() * 1e9);
        self.function.far.answered(FarTimes { all, ran, waited }, self.core.now());
        Ok(result)
    }

    fn failed(&self, failure: Failure) -> Failed {
        let counters = &self.function.counters.far;
        match failure {
            Failure::Refused(refused) => self.refused(match refused {
                Refused::Full => self.until_a_call_ends(),
                Refused::NoWorker | Refused::Away => AFTER_ABSENCE,
                Refused::Skew(_) => AFTER_SKEW,
                Refused::TooLarge { .. } => Duration::ZERO,
            }),
            Failure::Lost(why) => {
                self.closes(AFTER_LOSS);
                self.lost(why)
            }
            // Its caller's time was up, which says nothing of the fleet.
            Failure::Expired(_) if self.until.is_some_and(|at| now() + TIMER >= at) => {
                counters.expired.add_one();
                let by =
                    self.until.map_or(Duration::ZERO, |at| now().saturating_duration_since(at));
                let function = Some(self.function.site.name());
                Failed::Panics(Box::new(DeadlineExceeded { function, by }))
            }
            Failure::Expired(after) => {
                self.closes(AFTER_LOSS);
                counters.expired.add_one();
                self.raises(FleetError::Expired { function: self.called.name(), after })
            }
            Failure::Panicked(message) => {
                counters.panicked.add_one();
                Failed::Panics(Box::new(message))
            }
        }
    }

    /// A call that has not run there: it runs here, and no other one goes there for so long.
    fn refused(&self, closed: Duration) -> Failed {
        self.function.counters.far.refused.add_one();
        self.closes(closed);
        Failed::Stays
    }

    /// A call that may have run: an idempotent one runs again, here.
    fn lost(&self, why: String) -> Failed {
        self.function.counters.far.lost.add_one();
        if self.called.is_idempotent() {
            return Failed::Stays;
        }
        self.raises(FleetError::Lost { function: self.called.name(), why })
    }

    /// The panic of a call that has no result. No panic hook sees it, so it is said here, once for each function.
    fn raises(&self, error: FleetError) -> Failed {
        warn_once(&self.function.counters.far.warned, &error.to_string());
        Failed::Panics(Box::new(error))
    }

    /// How long it takes until a worker with many calls has ended one of them, more or less.
    fn until_a_call_ends(&self) -> Duration {
        let known = self.function.far.known(self.core.now());
        let ran = known.and_then(|known| known.ran).map_or(*AFTER_FULL.end(), duration);
        (ran / 2).clamp(*AFTER_FULL.start(), *AFTER_FULL.end())
    }

    fn closes(&self, time: Duration) {
        self.function.far.closes(nanos(time), self.core.now());
    }
}

impl Drop for Journey {
    fn drop(&mut self) {
        if !self.has_ended {
            self.function.counters.far.given_up.add_one();
        }
        self.function.far.ends();
    }
}
