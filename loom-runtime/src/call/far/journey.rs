//! One call on its way to another process: whether it goes, and what it does with the answer.

use std::any::Any;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::core::{
    Admitted, Core, Failure, FleetError, FleetFunction, Function, Refused, Request, Response, nanos,
};
use crate::scheduler::{Arm, Decision, FarBelief, FarTimes, Reason, duration};
use crate::sync::Arc;

use super::super::current::current_core;
use super::super::decide::{CallInfo, conditions_now};
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
    admitted: Admitted,
    function: Arc<Function>,
    called: &'static FleetFunction,
    began: Instant,
}

/// Why a call has no result from the fleet.
pub(super) enum NoResult {
    /// It is to run here.
    Stays,
    /// The panic of the call.
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
        Self { admitted, function, called, began: Instant::now() }
    }

    /// Sends the call, and waits for its result. Arguments that cannot be written cannot travel.
    pub(super) async fn result<R: Travels>(
        self,
        arguments: Result<Vec<u8>, String>,
    ) -> Result<R, NoResult> {
        let response = self.response(arguments.map_err(|_| NoResult::Stays)?).await?;
        let result = match decode((*response.result).as_ref()) {
            Ok(result) => result,
            Err(why) => {
                self.closes(AFTER_SKEW);
                let why = format!("its result cannot be read, since {why}");
                return Err(self.lost(why));
            }
        };
        let Response { ran, waited, .. } = response;
        let [all, ran, waited] =
            [self.began.elapsed(), ran, waited].map(|time| time.as_secs_f64() * 1e9);
        self.function.far.answered(FarTimes { all, ran, waited }, self.admitted.core().now());
        Ok(result)
    }

    async fn response(&self, arguments: Vec<u8>) -> Result<Response, NoResult> {
        let Some(transport) = self.admitted.core().transport.get() else {
            return Err(NoResult::Stays);
        };
        let counters = &self.function.counters.far;
        if arguments.len() > transport.limit() {
            counters.refused.add_one();
            return Err(NoResult::Stays);
        }
        counters.sent.add_one();
        match transport.call(Request::new(self.called, arguments)).await {
            Ok(response) => {
                counters.returned.add_one();
                counters.ran.record(response.ran);
                counters.waited.record(response.waited);
                let here = response.ran + response.waited;
                counters.way.record(self.began.elapsed().saturating_sub(here));
                Ok(response)
            }
            Err(failure) => Err(self.failed(failure)),
        }
    }

    fn failed(&self, failure: Failure) -> NoResult {
        let counters = &self.function.counters.far;
        match failure {
            Failure::Refused(refused) => {
                counters.refused.add_one();
                match refused {
                    Refused::Full => self.closes(self.until_a_call_ends()),
                    Refused::NoWorker | Refused::Away => self.closes(AFTER_ABSENCE),
                    Refused::Skew(_) => self.closes(AFTER_SKEW),
                    Refused::TooLarge { .. } => {}
                }
                NoResult::Stays
            }
            Failure::Lost(why) => {
                self.closes(AFTER_LOSS);
                self.lost(why)
            }
            Failure::Expired(after) => {
                counters.expired.add_one();
                let function = self.called.name();
                NoResult::Panics(Box::new(FleetError::Expired { function, after }))
            }
            Failure::Panicked(message) => {
                counters.panicked.add_one();
                NoResult::Panics(Box::new(message))
            }
        }
    }

    /// A call that may have run: an idempotent one runs again, here.
    fn lost(&self, why: String) -> NoResult {
        self.function.counters.far.lost.add_one();
        if self.called.is_idempotent() {
            return NoResult::Stays;
        }
        NoResult::Panics(Box::new(FleetError::Lost { function: self.called.name(), why }))
    }

    /// How long it takes until a worker with many calls has ended one of them, more or less.
    fn until_a_call_ends(&self) -> Duration {
        let known = self.function.far.known(self.admitted.core().now());
        let ran = known.and_then(|known| known.ran).map_or(*AFTER_FULL.end(), duration);
        (ran / 2).clamp(*AFTER_FULL.start(), *AFTER_FULL.end())
    }

    fn closes(&self, time: Duration) {
        self.function.far.closes(nanos(time), self.admitted.core().now());
    }
}

impl Drop for Journey {
    fn drop(&mut self) {
        self.function.far.ends();
    }
}
