//! The rule of `README.md`, as a pure function.

use std::time::Duration;

use super::Arm;

/// GR1: no call that is expected to take this long runs inline on an I/O worker, and none of
/// a site where one of the last calls did.
pub(super) const BLOCKING_CAP: Duration = Duration::from_micros(250);
/// GR0: with one I/O worker nobody else can go on meanwhile.
const LONE_WORKER_CAP: Duration = Duration::from_micros(50);
/// The most that one measurement of the bridge counts. Two wake-ups take no longer on their
/// own; what does is waiting for a CPU, and must not make inline look cheap on a machine
/// whose I/O workers are busy.
pub(crate) const LONGEST_OVERHEAD: Duration = Duration::from_micros(50);
/// What the bridge is taken to cost before the first measurement.
const OVERHEAD_PRIOR: Duration = Duration::from_micros(10);
/// One call in so many of an inlined site is offloaded to measure the overhead again.
const RETEST_EVERY: u64 = 256;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A thread of the compute pool itself.
    ComputeWorker,
    /// The only I/O worker, or one of an unknown number.
    LoneIoWorker,
    /// One I/O worker of several.
    IoWorker,
    /// Anyone, while there is no compute pool to go to.
    NoPool,
}

/// What is known when the call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) caller: Caller,
    /// The function's mean run time, hint included.
    pub(crate) run_time: Option<Duration>,
    /// The bridge's mean overhead.
    pub(crate) overhead: Option<Duration>,
    /// How many calls the site has had before this one.
    pub(crate) calls: u64,
    /// One of the site's last calls took longer than `BLOCKING_CAP`.
    pub(crate) was_slow: bool,
}

/// Where the call should run.
pub(crate) fn decide(evidence: Evidence) -> Arm {
    let cap = match evidence.caller {
        Caller::ComputeWorker | Caller::NoPool => return Arm::InlineTokio,
        Caller::LoneIoWorker => LONE_WORKER_CAP,
        Caller::IoWorker => BLOCKING_CAP,
    };
    if evidence.was_slow {
        return Arm::OffloadRayon;
    }
    let worth_moving = cap.min(evidence.overhead.unwrap_or(OVERHEAD_PRIOR));
    match evidence.run_time {
        Some(run_time) if run_time < worth_moving && !is_retest(evidence.calls) => Arm::InlineTokio,
        _ => Arm::OffloadRayon,
    }
}

fn is_retest(calls: u64) -> bool {
    calls % RETEST_EVERY == RETEST_EVERY - 1
}

#[cfg(test)]
mod tests {
    use super::super::{ComputeHint, Estimate};
    use super::*;

    const fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    fn with(run_time: Option<Duration>, overhead: Option<Duration>) -> Evidence {
        Evidence { caller: Caller::IoWorker, run_time, overhead, calls: 0, was_slow: false }
    }

    #[test]
    fn cheaper_than_the_bridge_is_inline() {
        assert_eq!(decide(with(Some(us(5)), Some(us(12)))), Arm::InlineTokio);
        assert_eq!(decide(with(Some(us(12)), Some(us(12)))), Arm::OffloadRayon);
        assert_eq!(decide(with(None, Some(us(12)))), Arm::OffloadRayon);
    }

    #[test]
    fn an_expensive_bridge_does_not_lift_the_blocking_cap() {
        let slow_bridge = Some(us(10_000));
        assert_eq!(decide(with(Some(us(249)), slow_bridge)), Arm::InlineTokio);
        assert_eq!(decide(with(Some(us(250)), slow_bridge)), Arm::OffloadRayon);
    }

    #[test]
    fn a_lone_worker_is_blocked_for_less() {
        let lone = |run_time| Evidence {
            caller: Caller::LoneIoWorker,
            ..with(Some(run_time), Some(us(1000)))
        };
        assert_eq!(decide(lone(us(49))), Arm::InlineTokio);
        assert_eq!(decide(lone(us(50))), Arm::OffloadRayon);
    }

    #[test]
    fn a_compute_worker_never_waits_for_itself() {
        let own = Evidence { caller: Caller::ComputeWorker, ..with(Some(us(90_000)), None) };
        assert_eq!(decide(own), Arm::InlineTokio);
    }

    #[test]
    fn a_site_that_was_slow_lately_is_offloaded_whatever_its_mean() {
        let evidence = Evidence { was_slow: true, ..with(Some(us(1)), Some(us(12))) };
        assert_eq!(decide(evidence), Arm::OffloadRayon);
        let own = Evidence { caller: Caller::ComputeWorker, ..evidence };
        assert_eq!(decide(own), Arm::InlineTokio);
    }

    #[test]
    fn hints_decide_the_first_call() {
        let first = |hint: ComputeHint| decide(with(hint.prior(), None));
        assert_eq!(first(ComputeHint::Low), Arm::InlineTokio);
        assert_eq!(first(ComputeHint::Medium), Arm::OffloadRayon);
        assert_eq!(first(ComputeHint::High), Arm::OffloadRayon);
        assert_eq!(first(ComputeHint::Unknown), Arm::OffloadRayon);
    }

    /// Plays `calls` calls of the given run time and tells how many ran inline.
    fn play(estimate: &Estimate<8>, hint: ComputeHint, run_time: Duration, calls: u64) -> u64 {
        let mut inline = 0;
        for calls in 0..calls {
            let run_time_now = estimate.mean_with_prior(hint.prior());
            let evidence = Evidence { calls, ..with(run_time_now, Some(us(12))) };
            inline += u64::from(decide(evidence) == Arm::InlineTokio);
            estimate.record(run_time);
        }
        inline
    }

    #[test]
    fn a_wrong_hint_is_outlived_by_measurements() {
        let cheap = Estimate::default();
        assert!(play(&cheap, ComputeHint::High, us(2), 100) >= 90);
        let dear = Estimate::default();
        assert_eq!(play(&dear, ComputeHint::Low, us(900), 100), 1);
    }

    #[test]
    fn one_preempted_call_does_not_bar_inline_for_ever() {
        let estimate = Estimate::default();
        play(&estimate, ComputeHint::Low, us(5), 100);
        estimate.record(us(5000));
        assert_eq!(play(&estimate, ComputeHint::Low, us(5), 1), 0, "the next call is offloaded");
        play(&estimate, ComputeHint::Low, us(5), 36);
        assert_eq!(play(&estimate, ComputeHint::Low, us(5), 100), 100, "and soon none is");
    }

    #[test]
    fn the_overhead_is_measured_again_now_and_then() {
        let estimate = Estimate::default();
        estimate.record(us(1));
        assert_eq!(play(&estimate, ComputeHint::Low, us(1), 2560), 2550);
    }
}
