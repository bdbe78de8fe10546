//! The decision rule of `README.md`, as pure functions.

use super::knobs::MabKnobs;
use super::overhead::Belief;
use super::times::{LITTLE, Summary};
use super::{Arm, Reason};

/// The largest share of a function's calls that may exceed the limit of a guardrail; above it,
/// none of the calls runs on an I/O worker.
pub(super) const FEW: f64 = 0.01;

/// The kind of thread that a call is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A thread of the compute pool itself.
    ComputeWorker,
    /// A thread of a tokio runtime with so many workers.
    Io(usize),
    /// A local core, whose tasks no other thread runs.
    LocalCore,
    /// A thread of no tokio runtime: nobody knows how many threads run what waits for it.
    Outside,
    /// Any thread, while there is no compute pool.
    NoPool,
}

impl Caller {
    /// Whether no other thread may run what waits for the caller.
    fn is_lone(self) -> bool {
        matches!(self, Self::Io(0 | 1) | Self::LocalCore | Self::Outside)
    }
}

/// What a run time is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Calls on both arms.
    Both,
    /// Inline calls alone.
    Inline,
    /// Offloaded calls alone.
    Pool,
    /// A profile of an earlier run of the program.
    Profile,
    /// The hint of the attribute or of the call.
    Hint,
    Nothing,
}

impl Basis {
    pub(super) fn of(inline: &Summary, pool: &Summary, is_primed: bool, is_hinted: bool) -> Self {
        match (inline.weight > LITTLE, pool.weight > LITTLE) {
            (true, true) => Self::Both,
            (true, false) => Self::Inline,
            (false, true) => Self::Pool,
            (false, false) if is_primed => Self::Profile,
            (false, false) if is_hinted => Self::Hint,
            (false, false) => Self::Nothing,
        }
    }
}

/// The state of the runtime when a call is made. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Conditions {
    pub(crate) caller: Caller,
    /// The arm that the function's mode, an override or a test forces, if any.
    pub(crate) forced: Option<Arm>,
    /// Whether it is an override that forces the arm.
    pub(crate) is_overridden: bool,
    /// Whether the function only observes: its calls run inline, whatever the verdict.
    pub(crate) is_observed: bool,
    /// Whether tokio has refused the function's body inline.
    pub(crate) is_refused: bool,
    /// Whether each call has to be measured, since so many of the function's may run at a time.
    pub(crate) is_limited: bool,
    /// `o`: the bridge's overhead.
    pub(crate) overhead: Belief,
    /// Time since the overhead was last measured, if it ever was.
    pub(crate) overhead_age: Option<u64>,
    /// `q`: how long an offloaded call would wait in the queue now.
    pub(crate) queue: f64,
    /// `p`: tasks that are ready behind the caller.
    pub(crate) pressure: f64,
    /// `a`: tasks that become ready on the caller's worker, per nanosecond.
    pub(crate) arrivals: f64,
}

/// After how long, in nanoseconds, a measurement of the bridge is out of date.
const STALE: u64 = 100_000_000;

impl Conditions {
    /// Whether the overhead was measured lately.
    pub(crate) fn is_overhead_fresh(&self) -> bool {
        self.overhead_age.is_some_and(|age| age < STALE)
    }
}

/// What is known of the function: measurements, profile and hint. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// `t`, on an I/O worker; `None` without a hint and without a measurement.
    pub(crate) run_time: Option<Belief>,
    pub(crate) basis: Basis,
    /// The share of a hint and a profile in the run time, 0 to 1. It fades with each measurement.
    pub(crate) assumed: f64,
    /// The mean of the squares of run times.
    pub(crate) square: f64,
    /// `f`: the run time on the pool over the run time inline.
    pub(crate) factor: f64,
    /// The run time on the pool, where the arms run different code and are learned apart.
    pub(crate) pool: Option<Belief>,
    /// The shares of calls that reach or exceed the limits of GR0, GR1 and GR2.
    pub(crate) tails: [f64; 3],
    /// Whether any call that reached the limit of GR1 ran inline.
    pub(crate) has_inline_tail: bool,
    /// Strikes, after fading.
    pub(crate) strikes: f64,
    /// Whether this is one of the first calls, which are offloaded.
    pub(crate) is_explored: bool,
}

impl Known {
    /// The arm that a call most likely gets.
    pub(crate) fn likely_arm(&self, knobs: &MabKnobs, conditions: &Conditions) -> Arm {
        let costs = Costs::expected(knobs, conditions, self);
        let cheaper =
            if costs.inline <= costs.offload { Arm::InlineTokio } else { Arm::OffloadRayon };
        order(knobs, conditions, self).map_or(cheaper, |(arm, _)| arm)
    }

    /// What a call is expected to cost on the pool, the queue included.
    #[cfg(feature = "fleet")]
    pub(crate) fn cost_on_pool(&self, knobs: &MabKnobs, conditions: &Conditions) -> f64 {
        Costs::expected(knobs, conditions, self).offload
    }

    /// Whether inline is worth a re-test although GR1 keeps the function off the I/O workers:
    /// because of long calls on the pool alone, which other threads may have delayed; or where the
    /// arms are learned apart, so that nothing else shows that inline has become shorter.
    pub(super) fn may_be_retested_inline(&self, knobs: &MabKnobs, reason: Reason) -> bool {
        let hard = knobs.t_block_hard_us * 1e3;
        reason == Reason::HardCap
            && match self.pool {
                // What takes that long on the pool is not tried inline.
                Some(pool) => pool.mean < hard,
                None => !self.has_inline_tail && self.run_time.unwrap_or_default().mean < hard,
            }
    }
}

/// The cost of a call on each arm, in nanoseconds of the caller and of the tasks behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Costs {
    pub(crate) inline: f64,
    pub(crate) offload: f64,
}

impl Costs {
    /// The cost of one arm.
    pub(super) fn on(self, arm: Arm) -> f64 {
        match arm {
            Arm::InlineTokio => self.inline,
            Arm::OffloadRayon => self.offload,
        }
    }

    /// The expected costs.
    pub(crate) fn expected(knobs: &MabKnobs, conditions: &Conditions, known: &Known) -> Self {
        let run_time = known.run_time.unwrap_or_default().mean;
        let pool = known.pool.map(|belief| belief.mean);
        Self::of(knobs, conditions, known, (run_time, pool), conditions.overhead.mean)
    }

    /// The costs for given run times, inline and on the pool if that is learned apart, and a given
    /// overhead.
    fn of(
        knobs: &MabKnobs,
        conditions: &Conditions,
        known: &Known,
        (run_time, pool): (f64, Option<f64>),
        overhead: f64,
    ) -> Self {
        let own = known.run_time.map_or(run_time, |belief| belief.mean);
        // The mean square scales with the square of the given run time.
        let scale = if own > 0.0 { run_time / own } else { 1.0 };
        let square = known.square.max(run_time * run_time) * scale * scale;
        // A task that is ready waits for the whole run time; a task that becomes ready meanwhile
        // waits for half (the mean residual life: Pollaczek, 1930; Khinchine, 1932).
        let ready = knobs.w_inflight * conditions.pressure * run_time;
        let coming = knobs.w_spawn * conditions.arrivals * square / 2.0;
        let others = knobs.k_starve * (ready + coming);
        let pool = pool.unwrap_or(run_time * known.factor);
        Self { inline: run_time + others, offload: pool + overhead + conditions.queue }
    }
}

/// The modes and guardrails, which override all costs: where the call has to run, and why.
pub(crate) fn order(
    knobs: &MabKnobs,
    conditions: &Conditions,
    known: &Known,
) -> Option<(Arm, Reason)> {
    match (conditions.caller, conditions.forced) {
        (Caller::NoPool, _) => return Some((Arm::InlineTokio, Reason::NoPool)),
        // The caller is on the pool already, and a job that it would wait for may wait for it.
        (Caller::ComputeWorker, None | Some(Arm::OffloadRayon)) => {
            return Some((Arm::InlineTokio, Reason::OnComputeThread));
        }
        (_, Some(arm)) if conditions.is_overridden => return Some((arm, Reason::Overridden)),
        (_, Some(arm)) => return Some((arm, Reason::Told)),
        (Caller::Io(_) | Caller::LocalCore | Caller::Outside, None) => {}
    }
    if conditions.is_refused {
        return Some((Arm::OffloadRayon, Reason::Refused));
    }
    let Some(run_time) = known.run_time else {
        return Some((Arm::OffloadRayon, Reason::Unknown));
    };
    let is_long = |cap_us: f64, tail: f64| run_time.mean >= cap_us * 1e3 || tail > FEW;
    let reason = if knobs.enable_strikes && known.strikes > knobs.s_max {
        Reason::Strikes
    } else if is_long(knobs.t_block_hard_us, known.tails[1]) {
        Reason::HardCap
    } else if conditions.caller.is_lone()
        && (conditions.pressure > knobs.p_low || is_long(knobs.t_tiny_inline_us, known.tails[0]))
    {
        Reason::LoneWorker
    } else if conditions.pressure > knobs.p_high
        && is_long(knobs.t_inline_under_pressure_us, known.tails[2])
    {
        Reason::Pressure
    } else if known.is_explored {
        Reason::Unknown
    } else {
        return None;
    };
    Some((Arm::OffloadRayon, reason))
}

/// Draws a verdict: where the call should run if [`order`] does not decide.
///
/// `draw` returns numbers of a standard normal distribution. The run times and the overhead are
/// each drawn from a normal distribution around their mean, and the arm that is cheaper for these draws
/// is taken (Thompson, 1933). Each arm is thus tried as often as it is likely to be the right one.
pub(crate) fn draw(
    knobs: &MabKnobs,
    conditions: &Conditions,
    known: &Known,
    run_time: Belief,
    mut draw: impl FnMut() -> f64,
) -> Arm {
    let mut drawn =
        |belief: Belief| (belief.mean + belief.deviation * draw()).max(belief.mean / 8.0);
    let (run_time, overhead) = (drawn(run_time), drawn(conditions.overhead));
    let pool = known.pool.map(drawn);
    let costs = Costs::of(knobs, conditions, known, (run_time, pool), overhead);
    if costs.inline <= costs.offload { Arm::InlineTokio } else { Arm::OffloadRayon }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const US: f64 = 1e3;

    pub(crate) fn conditions(caller: Caller, pressure: f64) -> Conditions {
        Conditions {
            caller,
            forced: None,
            is_overridden: false,
            is_observed: false,
            is_refused: false,
            is_limited: false,
            overhead: Belief { mean: 10.0 * US, deviation: 0.0 },
            overhead_age: Some(0),
            queue: 0.0,
            pressure,
            arrivals: 0.0,
        }
    }

    const IO_WORKER: Caller = Caller::Io(2);
    const LONE: [Caller; 3] = [Caller::Io(1), Caller::LocalCore, Caller::Outside];

    fn known(mean: f64) -> Known {
        Known {
            run_time: Some(Belief { mean, deviation: 0.0 }),
            basis: Basis::Both,
            assumed: 0.0,
            square: mean * mean,
            factor: 1.0,
            pool: None,
            tails: [0.0; 3],
            has_inline_tail: false,
            strikes: 0.0,
            is_explored: false,
        }
    }

    fn ordered(caller: Caller, pressure: f64, known: Known) -> Option<Reason> {
        order(&MabKnobs::new(), &conditions(caller, pressure), &known).map(|(_, reason)| reason)
    }

    fn drawn(pressure: f64, mean: f64) -> Arm {
        let (knobs, known) = (MabKnobs::new(), known(mean));
        let run_time = known.run_time.expect("it was set");
        draw(&knobs, &conditions(IO_WORKER, pressure), &known, run_time, || 0.0)
    }

    #[test]
    fn what_it_holds_up_is_weighed_against_the_overhead() {
        assert_eq!(drawn(1.0, 9.0 * US), Arm::InlineTokio);
        assert_eq!(drawn(1.0, 11.0 * US), Arm::OffloadRayon);
        assert_eq!(drawn(0.0, 200.0 * US), Arm::InlineTokio, "no task waits");
        assert_eq!(drawn(5.0, 3.0 * US), Arm::OffloadRayon);
    }

    #[test]
    fn a_queue_makes_the_pool_dearer_and_breaks_no_guardrail() {
        let (knobs, known) = (MabKnobs::new(), known(75.0 * US));
        let conditions = Conditions { queue: 40_000.0 * US, ..conditions(IO_WORKER, 2.0) };
        let run_time = known.run_time.expect("it was set");
        let drawn = draw(&knobs, &conditions, &known, run_time, || 0.0);
        assert_eq!(drawn, Arm::InlineTokio);
        let long = self::known(300.0 * US);
        let ordered = order(&knobs, &conditions, &long);
        assert_eq!(ordered, Some((Arm::OffloadRayon, Reason::HardCap)));
    }

    #[test]
    fn those_who_come_meanwhile_wait_for_half() {
        let costs = |arrivals: f64, square: f64| {
            let conditions = Conditions { arrivals, ..conditions(IO_WORKER, 0.0) };
            let known = Known { square, ..known(55.0 * US) };
            Costs::of(&MabKnobs::new(), &conditions, &known, (55.0 * US, None), 10.0 * US).inline
        };
        // A thousand arrivals a second; one call in a hundred takes 5 ms.
        let rare = 0.01 * (5000.0 * US).powi(2);
        assert!((costs(1e-6, rare) - (55.0 + 125.0) * US).abs() < 1.0);
        assert!((costs(0.0, rare) - 55.0 * US).abs() < 1.0);
    }

    #[test]
    fn guardrails_stand_above_cost() {
        use Caller::{ComputeWorker, NoPool};
        assert_eq!(ordered(IO_WORKER, 0.0, known(249.0 * US)), None);
        assert_eq!(ordered(IO_WORKER, 0.0, known(250.0 * US)), Some(Reason::HardCap));
        assert_eq!(ordered(IO_WORKER, 4.0, known(99.0 * US)), None);
        assert_eq!(ordered(IO_WORKER, 4.0, known(100.0 * US)), Some(Reason::Pressure));
        for lone in LONE {
            assert_eq!(ordered(lone, 0.0, known(49.0 * US)), None);
            assert_eq!(ordered(lone, 0.0, known(50.0 * US)), Some(Reason::LoneWorker));
            assert_eq!(ordered(lone, 1.0, known(US)), Some(Reason::LoneWorker));
        }
        let struck = Known { strikes: 1.5, ..known(US) };
        assert_eq!(ordered(IO_WORKER, 0.0, struck), Some(Reason::Strikes));
        let tailed = Known { tails: [0.0, 0.02, 0.0], ..known(US) };
        assert_eq!(ordered(IO_WORKER, 0.0, tailed), Some(Reason::HardCap));
        let refused = Conditions { is_refused: true, ..conditions(IO_WORKER, 0.0) };
        let told = Conditions { forced: Some(Arm::InlineTokio), ..refused };
        let reason_in = |conditions| order(&MabKnobs::new(), &conditions, &known(US));
        assert_eq!(reason_in(refused), Some((Arm::OffloadRayon, Reason::Refused)));
        assert_eq!(reason_in(told), Some((Arm::InlineTokio, Reason::Told)));
        let unknown = Known { run_time: None, ..known(US) };
        assert_eq!(ordered(IO_WORKER, 0.0, unknown), Some(Reason::Unknown));
        assert_eq!(ordered(ComputeWorker, 9.0, struck), Some(Reason::OnComputeThread));
        assert_eq!(ordered(NoPool, 9.0, struck), Some(Reason::NoPool));
    }

    #[test]
    fn knobs_act() {
        let known = known(60.0 * US);
        let lax = MabKnobs::new().with_thresholds(100.0, 1e6, 1e6);
        assert_eq!(order(&lax, &conditions(LONE[0], 0.0), &known), None);
        let struck = Known { strikes: 50.0, ..known };
        let conditions = conditions(IO_WORKER, 1.0);
        assert_eq!(order(&MabKnobs::new().without_strikes(), &conditions, &struck), None);
        let cost =
            |knobs: MabKnobs| Costs::of(&knobs, &conditions, &known, (60.0 * US, None), 0.0).inline;
        assert!((cost(MabKnobs::new()) - 120.0 * US).abs() < 1.0);
        assert!((cost(MabKnobs::new().with_k_starve(0.5)) - 90.0 * US).abs() < 1.0);
        let unweighted = MabKnobs { w_inflight: 0.0, ..MabKnobs::new() };
        assert!((cost(unweighted) - 60.0 * US).abs() < 1.0);
    }
}
