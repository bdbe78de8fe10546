//! The policies that decide, and the cost of their decisions.

use std::collections::BTreeMap;

use loom::__private::{SimulatedFunction, Surroundings};
use loom::mab::{MabKnobs, Reason};
use loom::{Arm, ComputeHint};
use loom_rs::mab::{Arm as TheirArm, Context, DecisionId, FunctionKey, MabScheduler};

use super::workload::{Call, FIRST, Made, Workload};

#[derive(Clone, Copy)]
pub(super) enum Policy {
    /// The real scheduler.
    Loom,
    /// One arm, with the guardrails or without.
    Fixed { inline: bool, guarded: bool },
    /// Inline below 50 µs, with run times that are known beforehand.
    Threshold,
    /// The cheaper arm of each call, known beforehand.
    Oracle,
    /// The scheduler of the nearest peer, by its public functions.
    LoomRs,
}

/// The results of a run, without the first calls. Times are in nanoseconds.
#[derive(Default)]
pub(super) struct Run {
    pub(super) cost: f64,
    /// The run time of the calls themselves.
    pub(super) time: f64,
    pub(super) retests: usize,
    /// The extra cost of re-tests, compared with the other arm.
    pub(super) retest_time: f64,
    /// The longest series of calls whose arm costs over a tenth more, without a guardrail.
    pub(super) most_wrong: usize,
}

/// The arm of a call, and the reason if Loom's scheduler decides.
struct Decided {
    is_inline: bool,
    reason: Option<Reason>,
    theirs: Option<DecisionId>,
}

/// The state of a function in one run; one for each class.
struct Function {
    loom: SimulatedFunction,
    theirs: FunctionKey,
}

pub(super) fn play(
    policy: Policy,
    workload: &Workload,
    calls: &[Call],
    workers: usize,
    seed: u64,
) -> Run {
    let mut run = Run::default();
    let mut wrong = 0;
    let mut functions: BTreeMap<u64, Function> = BTreeMap::new();
    let their_scheduler = MabScheduler::with_defaults();
    let mut now = 0_u64;
    for (n, call) in calls.iter().enumerate() {
        let class = if workload.by_class { call.made.class } else { 0 };
        let function = functions.entry(class).or_insert_with(|| Function {
            loom: SimulatedFunction::new(MabKnobs::new(), workers, seed),
            theirs: FunctionKey(class + 1),
        });
        let Made { pressure, queue, .. } = call.made;
        let surroundings = Surroundings { workers, pressure, queue, now, ..Surroundings::CALM };
        let decided = decide(policy, function, &their_scheduler, n % workers, call, &surroundings);
        let Decided { is_inline, reason, .. } = decided;
        now += advance(call, is_inline, workers);
        let cost = call.cost(is_inline);
        let is_wrong = cost > 1.1 * call.cost(!is_inline);
        let is_guarded = reason.is_some_and(Reason::is_guardrail);
        wrong = if is_wrong && !is_guarded { wrong + 1 } else { 0 };
        run.most_wrong = run.most_wrong.max(wrong);
        if n >= FIRST {
            run.cost += cost;
            run.time += call.made.inline;
            if reason == Some(Reason::Retest) {
                run.retests += 1;
                run.retest_time += (cost - call.cost(!is_inline)).max(0.0);
            }
        }
        function.learn(policy, &their_scheduler, call, &decided, now);
    }
    run
}

/// The time that a call takes, as a share of all workers; callers do little else.
fn advance(call: &Call, is_inline: bool, workers: usize) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "nanoseconds of a simulated time"
    )]
    let passed = ((call.made.inline + call.made.stolen[usize::from(!is_inline)] + 500.0)
        / workers as f64) as u64;
    passed.max(1)
}

fn decide(
    policy: Policy,
    function: &Function,
    scheduler: &MabScheduler,
    caller: usize,
    call: &Call,
    surroundings: &Surroundings,
) -> Decided {
    let is_inline = match policy {
        Policy::Loom => {
            let hint = ComputeHint::Unknown;
            let (arm, reason) = function.loom.decide(caller, hint, surroundings);
            return Decided { is_inline: arm == Arm::InlineTokio, reason, theirs: None };
        }
        Policy::Fixed { inline, guarded } => {
            let guardrail = function.loom.guardrail(ComputeHint::Unknown, surroundings);
            inline && !(guarded && guardrail.is_some())
        }
        Policy::Threshold => call.made.inline < 50e3,
        Policy::Oracle => call.cost(true) <= call.cost(false),
        Policy::LoomRs => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "small numbers"
            )]
            let context = Context {
                tokio_workers: surroundings.workers as u32,
                // loom-rs counts the tasks of all workers together.
                inflight_tasks: (call.made.pressure * surroundings.workers as f64) as u32,
                rayon_threads: surroundings.workers as u32,
                ..Context::default()
            };
            let (id, arm) = scheduler.choose(function.theirs, &context);
            let is_inline = arm == TheirArm::InlineTokio;
            return Decided { is_inline, reason: None, theirs: Some(id) };
        }
    };
    Decided { is_inline, reason: None, theirs: None }
}

impl Function {
    /// Reports the result to the policy that decided.
    fn learn(
        &self,
        policy: Policy,
        scheduler: &MabScheduler,
        call: &Call,
        decided: &Decided,
        now: u64,
    ) {
        let arm = if decided.is_inline { Arm::InlineTokio } else { Arm::OffloadRayon };
        let (seems, cpu, waits) = call.seen(decided.is_inline);
        match policy {
            Policy::Loom => {
                if decided.reason.is_some() {
                    self.loom.ran_with(arm, seems, cpu, waits, now);
                }
                if !decided.is_inline {
                    self.loom.went(call.overhead, now);
                }
            }
            // Guardrails depend on what is known of the function.
            Policy::Fixed { guarded: true, .. } => self.loom.ran_with(arm, seems, cpu, waits, now),
            Policy::Fixed { .. } | Policy::Threshold | Policy::Oracle => {}
            Policy::LoomRs => {
                let cost = seems + if decided.is_inline { 0.0 } else { call.overhead };
                if let Some(id) = decided.theirs {
                    scheduler.finish(id, cost / 1e3, Some(seems / 1e3));
                }
            }
        }
    }
}
