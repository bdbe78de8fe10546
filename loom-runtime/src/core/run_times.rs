//! How long closures take that belong to no function.

use std::any::TypeId;
use std::panic::Location;
use std::time::Duration;

use crate::scheduler::{Estimate, Trie};
use crate::sync::Arc;

/// How long scopes of one kind take; remembers about eight of them.
pub(crate) type ScopeTimes = Estimate<8>;

/// How long calls of one function take on the pool, long ones included; remembers about eight of them.
#[derive(Debug, Default)]
pub(crate) struct WholeTimes {
    mean: Estimate<8>,
    /// By how much calls differ from the mean.
    deviation: Estimate<8>,
}

impl WholeTimes {
    pub(crate) fn record(&self, run_time: Duration) {
        // The first call says nothing of others. RFC 6298 takes half its time, too.
        let deviation = self.mean().map_or(run_time / 2, |mean| mean.abs_diff(run_time));
        self.deviation.record(deviation);
        self.mean.record(run_time);
    }

    /// In whole microseconds; `None` before the first call.
    pub(crate) fn mean(&self) -> Option<Duration> {
        self.mean.mean_micros().map(|micros| Duration::from_micros(micros.into()))
    }

    pub(crate) fn deviation(&self) -> Duration {
        Duration::from_micros(self.deviation.mean_micros().unwrap_or_default().into())
    }
}

/// How long calls of one kind take on the pool.
#[derive(Debug, Default)]
pub(crate) struct RunTimes(Estimate<32>);

impl RunTimes {
    /// The most that one call counts. A thread that got no CPU for some milliseconds then makes its
    /// function look long for about 30 calls, and calls that are longer once in 32 times make it look
    /// long for good.
    const LONGEST: Duration = Duration::from_millis(1);

    pub(crate) fn record(&self, run_time: Duration) {
        self.0.record(run_time.min(Self::LONGEST));
    }

    /// The mean in microseconds, rounded down, and one more; `None` before the first call.
    pub(crate) fn micros(&self) -> Option<u32> {
        self.0.mean_micros()
    }
}

/// Of all closures, by their types.
#[derive(Debug)]
pub(crate) struct ClosureTimes {
    scopes: Trie<(TypeId, &'static Location<'static>), Arc<ScopeTimes>>,
    calls: Trie<TypeId, RunTimes>,
}

impl ClosureTimes {
    pub(super) fn new() -> Self {
        Self { scopes: Trie::new(), calls: Trie::new() }
    }

    /// Of scopes that were made with this closure at this place.
    pub(crate) fn of_scopes(
        &self,
        closure: TypeId,
        place: &'static Location<'static>,
    ) -> Arc<ScopeTimes> {
        Arc::clone(self.scopes.entry((closure, place), Arc::default))
    }

    /// On the pool, of closures of this type that belong to no function.
    pub(crate) fn of_calls(&self, closure: TypeId) -> &RunTimes {
        self.calls.entry(closure, RunTimes::default)
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_rare_delay_is_forgotten_and_a_share_of_long_calls_is_not() {
        let times = RunTimes::default();
        assert_eq!(times.micros(), None);
        let are_brief = || times.micros().is_some_and(|micros| micros < 20);
        let record = |calls: u32, of: Duration| (0..calls).for_each(|_| times.record(of));
        record(100, Duration::from_micros(10));
        assert!(are_brief());
        record(1, Duration::from_secs(1));
        assert!(!are_brief());
        record(60, Duration::from_micros(10));
        assert!(are_brief(), "{:?}", times.micros());
        for _ in 0..20 {
            record(31, Duration::from_micros(10));
            record(1, Duration::from_millis(5));
        }
        assert!(!are_brief(), "{:?}", times.micros());
    }
}
